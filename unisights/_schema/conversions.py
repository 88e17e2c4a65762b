"""The conversions of values in `from_dict` and `_build` of the generated classes."""

from decimal import Decimal
from math import floor
from typing import Any

from unisights.errors import ValidationError


def validated(definition: str, obj: object) -> Any:
    """Validate parsed JSON by one of the schema's definitions; return a copy to build from.

    Raises:
        ValidationError: with every problem, its pointers relative to `obj`.
    """
    # Few call `from_dict`, and the compiled validators take a while to import.
    from unisights._schema.parsed_json import check_parsed  # noqa: PLC0415
    from unisights._schema.validation import find_problems  # noqa: PLC0415

    parsed = check_parsed(obj)
    if problems := find_problems(definition, parsed):
        raise ValidationError(problems)
    return parsed


def to_int(value: Any, maximum: int | None = None) -> Any:
    """Return a number rounded down, and at most `maximum`.

    Other values are returned as they are; they come from callers that check no values.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    whole = floor(value)
    return whole if maximum is None else min(whole, maximum)


def to_float(value: Any, maximum: float | None = None) -> Any:
    """Return a number as a float, at most `maximum`; return other values as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return float(value) if maximum is None else min(float(value), float(maximum))
