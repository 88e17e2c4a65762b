"""Parses JSON, bounded in depth and cost."""

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from unisights._decoding.limits import find_excess
from unisights._decoding.out_of_range_numbers import out_of_range_error, replace_large
from unisights._schema.violations import OutOfRange
from unisights.errors import InvalidJSONError

_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_MANY_DIGITS = b"0" * 309
"""The fewest digits of an int that no double can hold, in a text whose digits are all 0."""

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_MAX_LARGE = 1000
"""The greatest number of out-of-range numbers in a bounded body. No real body has more."""


def parse_json(body: bytes, *, keeps_out_of_range: bool, is_bounded: bool) -> Any:
    """Parse a normalized body.

    Args:
        body: the body.
        keeps_out_of_range: whether numbers that no double can hold become `OutOfRange`; if not,
            the body is refused.
        is_bounded: whether a body that would take long to parse is refused, too.

    Raises:
        InvalidJSONError: the body is not UTF-8, not JSON, or nested too deeply. If `is_bounded`:
            it has more arrays, objects or out-of-range numbers than the limits allow.
    """
    if (excess := find_excess(body, counts=is_bounded)) is not None:
        raise InvalidJSONError(f"the body is {excess}")
    try:
        parsed = msgspec.json.decode(body)
    except msgspec.ValidationError:  # A number that no double can hold.
        parsed = _parse_large(body, keeps_out_of_range=keeps_out_of_range, is_bounded=is_bounded)
    except _MALFORMED:
        parsed = _parse_malformed(body, keeps_out_of_range)
    # This search takes linear time for any body.
    if _MANY_DIGITS in body.translate(_ZEROS):
        parsed = replace_large(parsed, keeps_out_of_range)
    return parsed


def _parse_large(body: bytes, *, keeps_out_of_range: bool, is_bounded: bool) -> Any:
    """Parse JSON with numbers that no double can hold."""
    count = 0

    def parse_float(digits: str) -> float | OutOfRange:
        nonlocal count
        value = float(digits)
        if math.isfinite(value):
            return value
        count += 1
        if not keeps_out_of_range or (is_bounded and count > _MAX_LARGE):
            raise out_of_range_error()
        return OutOfRange()

    try:
        return msgspec.json.Decoder(float_hook=parse_float).decode(body)
    except msgspec.ValidationError:  # An int of more digits than Python reads, 4,300.
        if is_bounded or not keeps_out_of_range:
            raise out_of_range_error() from None
        return replace_large(_parse_slowly(body, _parse_int), keeps_out_of_range)
    except _MALFORMED:
        return _parse_malformed(body, keeps_out_of_range)


def _parse_malformed(body: bytes, keeps_out_of_range: bool) -> Any:  # noqa: FBT001
    """Parse with the standard library, which says what is wrong and where."""
    return replace_large(_parse_slowly(body), keeps_out_of_range)


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
    except ValueError:  # An int of more digits than Python reads; the text is not JSON.
        raise out_of_range_error() from None
    except RecursionError:
        raise InvalidJSONError("the body is nested too deeply") from None


_LONGEST_INT = 312
"""No double can hold an int of this many characters, whatever its sign and digits."""


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONGEST_INT else math.inf


def _parse_constant(name: str) -> NoReturn:
    raise InvalidJSONError(f"the body is not JSON: {name} is not a JSON value")
