"""Between bytes and parsed JSON, for what the fast path refuses."""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from unisights._decoding.limits import find_excess
from unisights._decoding.violations import OutOfRange, Path
from unisights.errors import InvalidJSONError, Problem, ValidationError

_SURROGATE = re.compile("[\ud800-\udfff]")

_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_MANY_DIGITS = b"0" * 309
"""The fewest digits of an int that no double can hold, in a text whose digits are all 0."""

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_MAX_LARGE = 1000
"""So many numbers that no double can hold are more than anything that is meant."""

_BOM = b"\xef\xbb\xbf"


def parse_json(body: bytes, *, keeps_out_of_range: bool, is_bounded: bool) -> Any:
    """Parse a body that was mended.

    Args:
        body: the body.
        keeps_out_of_range: numbers that no double can hold become `OutOfRange`; else, they are
            refused, as nobody would look at what values are.
        is_bounded: refuse what would take long to parse, too.

    Raises:
        InvalidJSONError: the body is not UTF-8, not JSON, or nested too deeply. Bounded, it has
            more arrays and objects, or numbers beyond doubles, than anything that is meant.
    """
    if (excess := find_excess(body, counts=is_bounded)) is not None:
        raise InvalidJSONError(f"the body is {excess}")
    try:
        parsed = msgspec.json.decode(body)
    except msgspec.ValidationError:  # A number that no double can hold.
        parsed = _parse_large(body, keeps_out_of_range=keeps_out_of_range, is_bounded=is_bounded)
    except _MALFORMED:
        parsed = _explain(body, keeps_out_of_range)
    # A search that is linear whatever the body holds.
    if _MANY_DIGITS in body.translate(_ZEROS):
        parsed = _replace_large(parsed, keeps_out_of_range)
    return parsed


def _parse_large(body: bytes, *, keeps_out_of_range: bool, is_bounded: bool) -> Any:
    """Parse what is JSON, but has numbers that no double can hold."""
    count = 0

    def parse_float(digits: str) -> float | OutOfRange:
        nonlocal count
        value = float(digits)
        if math.isfinite(value):
            return value
        count += 1
        if not keeps_out_of_range or (is_bounded and count > _MAX_LARGE):
            raise out_of_range()
        return OutOfRange()

    try:
        return msgspec.json.Decoder(float_hook=parse_float).decode(body)
    except msgspec.ValidationError:  # An int of more digits than Python reads, 4,300.
        if is_bounded or not keeps_out_of_range:
            raise out_of_range() from None
        return _replace_large(_parse_slowly(body, _parse_int), keeps_out_of_range)
    except _MALFORMED:
        return _explain(body, keeps_out_of_range)


def _explain(body: bytes, keeps_out_of_range: bool) -> Any:  # noqa: FBT001
    """Let the standard library say what is wrong; should it find nothing, what it has parsed."""
    return _replace_large(_parse_slowly(body), keeps_out_of_range)


def _parse_slowly(body: bytes, parse_int: Callable[[str], Any] | None = None) -> Any:
    if not body.strip():
        raise InvalidJSONError("the body is empty")
    try:
        return json.loads(body.decode(), parse_constant=_parse_constant, parse_int=parse_int)
    except UnicodeDecodeError as error:
        raise InvalidJSONError(f"the body is not UTF-8: byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidJSONError(f"the body is not JSON: {error.msg} at {place}") from None
    except InvalidJSONError:
        raise
    except ValueError:  # An int of more digits than Python reads, in what is no JSON besides.
        raise out_of_range() from None
    except RecursionError:
        raise InvalidJSONError("the body is nested too deeply") from None


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONGEST_INT else math.inf


_LONGEST_INT = 312
"""An int of so many characters is more than any double can hold."""

_OVERFLOW = 2**1024 - 2**970
"""What is as large or larger is rounded to infinity."""

_NUMBERS = {int, float}
_SCALARS = {int, float, str, bool, type(None)}


def _replace_large(value: Any, keeps: bool) -> Any:  # noqa: FBT001  # called for each value
    """Parsed JSON with `OutOfRange` for what no double can hold; or that is refused."""
    kind = type(value)
    if kind is dict:
        return {key: _replace_large(item, keeps) for key, item in value.items()}
    if kind is list:
        # Most lists have nothing to replace, and that is soon seen.
        kinds = set(map(type, value))
        if kinds <= _SCALARS:
            numbers = [item for item in value if type(item) in _NUMBERS]
            if not numbers or (min(numbers) > -_OVERFLOW and max(numbers) < _OVERFLOW):
                return value
        return [_replace_large(item, keeps) for item in value]
    if kind in _NUMBERS and not -_OVERFLOW < value < _OVERFLOW:
        if keeps:
            return OutOfRange()
        raise out_of_range()
    return value


def out_of_range() -> InvalidJSONError:
    """The error for a number that no double can hold."""
    return InvalidJSONError("the body holds a number that is out of range")


def _parse_constant(name: str) -> NoReturn:
    raise InvalidJSONError(f"the body is not JSON: {name} is not a JSON value")


def _well_formed(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def mend(body: bytes) -> bytes:
    """Leave out a byte order mark, and write U+FFFD for lone surrogates.

    Both may stand in what is JSON to most, but no decoder takes them. What has a byte 0 is no
    JSON, and its surrogates are left as they are.
    """
    body = body.removeprefix(_BOM)
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
