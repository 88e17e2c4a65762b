"""Numbers in JSON that no double can hold.

In a property that the schema does not know, such a number does not matter; in any other, the body
is not JSON. So parsing puts `OutOfRange` in its place, whose type validation finds to be wrong.
"""

from typing import Any

import msgspec

from unisights._schema.violations import OutOfRange
from unisights.errors import InvalidJSONError, Problem, UnisightsError, ValidationError

_OVERFLOW = 2**1024 - 2**970
"""The smallest number that a double rounds to infinity."""

_NUMBERS = {int, float}
_SCALARS = {int, float, str, bool, type(None)}


def replace_large(value: Any, keeps: bool) -> Any:  # noqa: FBT001  # called for each value
    """Return parsed JSON with `OutOfRange` for the numbers that no double can hold.

    Raises:
        InvalidJSONError: there is such a number, and `keeps` is False.
    """
    kind = type(value)
    if kind is dict:
        return {key: replace_large(item, keeps) for key, item in value.items()}
    if kind is list:
        # Most lists have nothing to replace, which this finds out faster.
        kinds = set(map(type, value))
        if kinds <= _SCALARS:
            numbers = [item for item in value if type(item) in _NUMBERS]
            if not numbers or (min(numbers) > -_OVERFLOW and max(numbers) < _OVERFLOW):
                return value
        return [replace_large(item, keeps) for item in value]
    if kind in _NUMBERS and not -_OVERFLOW < value < _OVERFLOW:
        if keeps:
            return OutOfRange()
        raise out_of_range_error()
    return value


def out_of_range_error() -> InvalidJSONError:
    """Return the error for a number that no double can hold."""
    return InvalidJSONError("the body holds a number that is out of range")


def error_for(problems: list[Problem]) -> UnisightsError:
    """Return the error for parsed JSON with these problems.

    It is an `InvalidJSONError` if one of them is a number that no double can hold.
    """
    if any(problem.rule == "json" for problem in problems):
        return out_of_range_error()
    return ValidationError(problems)


def encode_parsed(obj: Any) -> bytes:
    """Return valid parsed JSON as bytes, with null for `OutOfRange`."""
    return msgspec.json.encode(obj, enc_hook=_encode_out_of_range)


def _encode_out_of_range(value: object) -> None:
    assert isinstance(value, OutOfRange)  # noqa: S101  # msgspec encodes all else
