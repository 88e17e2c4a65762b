"""Violations in words: the problems that people read."""

from decimal import Decimal
from typing import Any

from unisights._schema.violations import OutOfRange, Path, Violation
from unisights.errors import Problem

_A_TYPE = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}


def to_problem(violation: Violation) -> Problem:
    """Return a violation in words."""
    rule, demand = violation.rule, _demand(violation)
    if isinstance(violation.value, OutOfRange):
        rule, demand = "json", "must be a number that a double can hold"
    pointer, place = to_pointer(violation.path), place_in_words(violation.path)
    return Problem(pointer, rule, f"{place} {demand}")


def to_pointer(path: Path) -> str:
    """Return a place as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def place_in_words(path: Path) -> str:
    """Return a place as people write it: `data.events[3].x`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".") or "the payload"


def _demand(violation: Violation) -> str:
    expected = violation.expected
    match violation.rule:
        case "required":
            return f"must contain '{expected}'"
        case "type":
            names = expected if isinstance(expected, list) else [expected]
            wanted = " or ".join(_A_TYPE[name] for name in names)
            return f"must be {wanted}, not {_kind_of(violation.value)}"
        case "enum":
            return f"must be one of {', '.join(repr(value) for value in expected)}"
        case "const":
            constants = {True: "true", False: "false"}
            constant = constants[expected] if isinstance(expected, bool) else repr(expected)
            return f"must be {constant}"
        case "minimum":
            return f"must be at least {expected}"
        case "maximum":
            return f"must be at most {expected}"
        case rule:
            return f"must {_demand_on_string(rule, expected)}"


def _demand_on_string(rule: str, expected: Any) -> str:
    match rule:
        case "minLength" if expected == 1:
            return "not be empty"
        case "minLength" if isinstance(expected, int):
            return f"have at least {expected} characters"
        case "maxLength" if isinstance(expected, int):
            return f"have at most {expected} characters"
        case "pattern" if expected.startswith("^"):
            return f"match the pattern {expected}"
        case _:  # The schema's own words, by `x-expects`.
            return f"be {expected}"


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float() | Decimal():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return "an array"
        case dict():
            return "an object"
        case _:
            return "something else"
