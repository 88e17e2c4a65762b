"""Between bytes and parsed JSON, for what the fast path refuses."""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from unisights._findings import OutOfRange, Path
from unisights._nesting import is_too_deep
from unisights.errors import InvalidJSONError, Problem, ValidationError

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_PAIR_OR_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
"""The group is a surrogate that stands alone."""

_MANY_DIGITS = b"0" * 210
"""The fewest that may be more than any double can hold, with an exponent of two digits."""
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)

_LARGE_EXPONENT = re.compile(rb"[eE]\+?[0-9]{3}")


def parse_json(body: bytes, *, keeps_out_of_range: bool) -> Any:
    """Parse a request's body.

    Lone surrogates in strings become U+FFFD: they are legal JSON, but no store takes them.
    Numbers that no double can hold become `OutOfRange`, or are refused where nobody would look
    at what values are.

    Raises:
        InvalidJSONError: the body is not UTF-8, not JSON, or nested too deeply.
    """
    if is_too_deep(body):
        raise InvalidJSONError("the body is nested too deeply")
    # A search that is linear whatever the body holds.
    has_long_numbers = _MANY_DIGITS in body.translate(_ZEROS)
    try:
        # What this decodes to an int of any size may be more than any double can hold.
        if not has_long_numbers:
            return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    # The standard library says what is wrong, and takes lone surrogates.
    numbers: dict[str, Any] = {}
    if has_long_numbers or _LARGE_EXPONENT.search(body):
        numbers = {"parse_int": _parse_int, "parse_float": _parse_float}
        if not keeps_out_of_range:
            numbers = {hook: _in_range(parse) for hook, parse in numbers.items()}
    return _parse_slowly(body, numbers)


def _parse_slowly(body: bytes, numbers: dict[str, Any]) -> Any:
    if not body.strip():
        raise InvalidJSONError("the body is empty")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJSONError(f"the body is not UTF-8: byte {error.start}") from None
    try:
        parsed = json.loads(text, parse_constant=_parse_constant, **numbers)
        return _replace_surrogates(parsed) if _SURROGATE_ESCAPE.search(body) else parsed
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidJSONError(f"the body is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise InvalidJSONError("the body is nested too deeply") from None


def _parse_int(digits: str) -> int | OutOfRange:
    # In this order: float() of many digits is linear, int() of them quadratic.
    return int(digits) if math.isfinite(float(digits)) else OutOfRange()


def _parse_float(digits: str) -> float | OutOfRange:
    value = float(digits)
    return value if math.isfinite(value) else OutOfRange()


def _in_range(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse_in_range(digits: str) -> Any:
        value = parse(digits)
        if isinstance(value, OutOfRange):
            raise out_of_range()
        return value

    return parse_in_range


def out_of_range() -> InvalidJSONError:
    """The error for a number that no double can hold."""
    return InvalidJSONError("the body holds a number that is out of range")


def _parse_constant(name: str) -> NoReturn:
    raise InvalidJSONError(f"the body is not JSON: {name} is not a JSON value")


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _well_formed(value)
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_well_formed(key): _replace_surrogates(item) for key, item in value.items()}
    return value


def _well_formed(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def mend_surrogates(body: bytes) -> bytes:
    """Write U+FFFD for lone surrogates, as `parse_json` reads them: no decoder takes them."""
    if not _SURROGATE_ESCAPE.search(body):
        return body
    return _PAIR_OR_ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], body)


def check_parsed(obj: Any) -> Any:
    """Bring an object that the caller parsed to what `parse_json` would have returned.

    Raises:
        ValidationError: it holds numbers that JSON has not (NaN, infinities, out of range), or
            it is nested too deeply; all such numbers are named.
    """
    problems: list[Problem] = []
    try:
        checked = _checked(obj, (), problems)
    except RecursionError:
        raise ValidationError([Problem("", "json", "the object is nested too deeply")]) from None
    if problems:
        raise ValidationError(problems)
    return checked


def _checked(value: Any, path: Path, problems: list[Problem]) -> Any:
    if isinstance(value, str):
        return _well_formed(value)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            message = f"{place_in_words(path)} must have strings as its keys, as in JSON"
            problems.append(Problem(to_pointer(path), "json", message))
            return {}
        return {
            _well_formed(key): _checked(item, (*path, key), problems) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_checked(item, (*path, index), problems) for index, item in enumerate(value)]
    if isinstance(value, int | float | Decimal) and not _is_finite(value):
        message = f"{place_in_words(path)} must be a number that JSON can hold"
        problems.append(Problem(to_pointer(path), "json", message))
    return value


def _is_finite(value: float | Decimal) -> bool:
    try:
        return math.isfinite(float(value))
    except (OverflowError, ValueError):  # An int beyond doubles; a signalling NaN.
        return False


def to_pointer(path: Path) -> str:
    """A place as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def place_in_words(path: Path) -> str:
    """A place as people write it: `data.events[3].x`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".") or "the payload"
