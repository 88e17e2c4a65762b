"""Numbers in JSON that no double can hold.

Where nobody reads such a number, it does not matter; where a value is wanted, the body is no JSON.
So parsing keeps `OutOfRange` in its place, which validation finds to be of a wrong type.
"""

from typing import Any

import msgspec

from unisights._schema.violations import OutOfRange
from unisights.errors import InvalidJSONError, Problem, UnisightsError, ValidationError

_OVERFLOW = 2**1024 - 2**970
"""What is as large or larger is rounded to infinity."""

_NUMBERS = {int, float}
_SCALARS = {int, float, str, bool, type(None)}


def replace_large(value: Any, keeps: bool) -> Any:  # noqa: FBT001  # called for each value
    """Return parsed JSON with `OutOfRange` for the numbers that no double can hold.

    Raises:
        InvalidJSONError: there is such a number, and it is not to be kept.
    """
    kind = type(value)
    if kind is dict:
        return {key: replace_large(item, keeps) for key, item in value.items()}
    if kind is list:
        # Most lists have nothing to replace, and that is soon seen.
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
    """Return the error for parsed JSON that is not valid, by its problems.

    Where a value is wanted, a number that no double can hold makes the body invalid JSON.
    """
    if any(problem.rule == "json" for problem in problems):
        return out_of_range_error()
    return ValidationError(problems)


def encode_parsed(obj: Any) -> bytes:
    """Return valid parsed JSON as bytes; null for `OutOfRange`, which is where nobody reads it."""
    return msgspec.json.encode(obj, enc_hook=_encode_out_of_range)


def _encode_out_of_range(value: object) -> None:
    assert isinstance(value, OutOfRange)  # noqa: S101  # there is nothing else
