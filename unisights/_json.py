"""Between bytes and parsed JSON, for what the fast path refuses."""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from unisights._findings import OutOfRange, Path
from unisights._nesting import find_excess
from unisights.errors import InvalidJSONError, Problem, ValidationError

_SURROGATE = re.compile("[\ud800-\udfff]")

_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

_FLAT = bytes.maketrans(b"123456789E", b"000000000e")
_MANY_DIGITS = b"0" * 210
_LARGE_EXPONENT = b"0e000"
"""What numbers that no double can hold have, in a flattened text: the fewest digits that may be too
many with an exponent of two digits, or an exponent of three."""

_MAX_LARGE = 1000
"""If there are more of these, they are not looked at one by one."""


def parse_json(body: bytes, *, keeps_out_of_range: bool) -> Any:
    """Parse a request's body, whose lone surrogates were mended.

    Numbers that no double can hold become `OutOfRange`, or are refused where nobody would look at
    what values are.

    Raises:
        InvalidJSONError: the body is not UTF-8, not JSON, nested too deeply, or has more arrays
            and objects, or numbers beyond doubles, than anything that is meant.
    """
    if (excess := find_excess(body)) is not None:
        raise InvalidJSONError(f"the body is {excess}")
    # A search that is linear whatever the body holds.
    flat = body.translate(_FLAT, b"+")
    may_overflow = _MANY_DIGITS in flat
    try:
        # What this decodes to an int of any size may be more than any double can hold.
        if not may_overflow:
            return msgspec.json.decode(body)
    except msgspec.ValidationError:  # A number that no double can hold.
        may_overflow = True
        if flat.count(_LARGE_EXPONENT) > _MAX_LARGE:
            raise out_of_range() from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        may_overflow = _LARGE_EXPONENT in flat
    # The standard library says what is wrong.
    numbers: dict[str, Any] = {}
    if may_overflow:
        numbers = {"parse_int": _parse_int, "parse_float": _parse_float}
        if not keeps_out_of_range:
            numbers = {hook: _in_range(parse) for hook, parse in numbers.items()}
    return _parse_slowly(body, numbers)


def _parse_slowly(body: bytes, numbers: dict[str, Any]) -> Any:
    if not body.strip():
        raise InvalidJSONError("the body is empty")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_parse_constant, **numbers)
    except UnicodeDecodeError as error:
        raise InvalidJSONError(f"the body is not UTF-8: byte {error.start}") from None
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


def _well_formed(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def mend_surrogates(body: bytes) -> bytes:
    """Write U+FFFD for lone surrogates: they are legal JSON, but no decoder takes them.

    What has a byte 0 is no JSON, and left as it is.
    """
    if (b"\\ud" not in body and b"\\uD" not in body) or b"\0" in body:
        return body
    # The backslash that another one escapes begins no escape.
    hidden = body.replace(rb"\\", b"\0\0")
    return _LONE_SURROGATE.sub(rb"\\ufffd", hidden).replace(b"\0\0", rb"\\")


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
