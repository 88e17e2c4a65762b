"""Checks objects that the caller parsed, or made: they may hold values that JSON cannot hold."""

import math
import re
from decimal import Decimal
from typing import Any

from unisights._schema.messages import place_in_words, to_pointer
from unisights._schema.violations import Path
from unisights.errors import Problem, ValidationError

_SURROGATE = re.compile("[\ud800-\udfff]")


def check_parsed(obj: Any) -> Any:
    """Return a copy with lists for tuples, and with U+FFFD for lone surrogates in strings.

    Objects of types that JSON does not have stay as they are; validation finds them.

    Raises:
        ValidationError: it holds numbers that JSON cannot hold (NaN, infinities, out of range) or
            keys that are no strings, all of which are named; or it is nested too deeply.
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


def _well_formed(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)
