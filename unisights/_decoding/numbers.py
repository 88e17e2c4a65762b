"""From JSON numbers to the numbers of the dataclasses.

What is no number passes through: that happens only where the caller asked for values not to be
checked.
"""

from decimal import Decimal
from math import floor
from typing import Any


def to_int(value: Any, maximum: int | None = None) -> Any:
    """A whole number: rounded down, and at most `maximum`."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    whole = floor(value)
    return whole if maximum is None else min(whole, maximum)


def to_float(value: Any, maximum: float | None = None) -> Any:
    """A float: at most `maximum`."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return float(value) if maximum is None else min(float(value), float(maximum))
