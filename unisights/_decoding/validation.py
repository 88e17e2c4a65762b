"""The authority on what is valid: the compiled validators, and what they find in words."""

import contextlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from unisights._decoding.generated import verdict
from unisights._decoding.generated.builder import BATCHES, UNIONS
from unisights._decoding.generated.decoder import MEMBERS, REFUSALS
from unisights._decoding.parsing import out_of_range, place_in_words, to_pointer
from unisights._decoding.violations import (
    ALL_CHECKS,
    Checks,
    Finding,
    Findings,
    OutOfRange,
    Path,
    RefusedError,
    TooManyFindingsError,
)
from unisights.errors import Problem


def find_problems(
    definition: str,
    obj: Any,
    path: Path = (),
    checks: Checks = ALL_CHECKS,
    *,
    members: bool = True,
) -> list[Problem]:
    """Validate parsed JSON against one of the schema's definitions.

    Args:
        definition: the definition's name.
        obj: parsed JSON.
        path: where `obj` is in the payload; goes before every problem's place.
        checks: which rules are enforced.
        members: whether the members of its arrays of unions are looked at, too.

    Returns:
        Every problem, in the payload's order, at most `checks.max_problems`; none if it is valid.

    Raises:
        InvalidJSONError: a number that no double can hold stands where a value is wanted.
    """
    errors = Findings(checks)
    try:
        _validate(definition, obj, path, errors)
        for steps, union in BATCHES.get(definition, ()) if members else ():
            for index, item in enumerate(descend(obj, steps)):
                _validate_member(union, item, (*path, *steps, index), errors)
    except TooManyFindingsError:
        pass
    if any(isinstance(finding.value, OutOfRange) for finding in errors.found):
        raise out_of_range()
    return _listed(errors, checks)


def find_member_problems(
    union: str, members: Iterable[tuple[Path, Any]], checks: Checks
) -> list[Problem]:
    """What is wrong with members of a union, each with its place; listed as `find_problems` does.

    A number that no double can hold is a problem like any other.
    """
    errors = Findings(checks)
    with contextlib.suppress(TooManyFindingsError):
        for path, item in members:
            _validate_member(union, item, path, errors)
    return _listed(errors, checks)


def is_valid_member(union: str, item: Any, checks: Checks) -> bool:
    """Whether a member of a union is valid: as `find_member_problems` has it, but faster."""
    member = UNIONS[union].get(_tag_of(item))
    if member is None or _is_taken(member, item):
        return member is not None
    try:
        verdict.VALIDATORS[member](item)
    except RefusedError:
        # All rules are enforced, or else it depends on which one was broken.
        is_strict = checks.values and checks.required
        return not is_strict and not find_member_problems(union, [((), item)], checks)
    return True


def _tag_of(item: Any) -> str:
    tag = item.get("type") if isinstance(item, dict) else None
    return tag if isinstance(tag, str) else ""


def _listed(errors: Findings, checks: Checks) -> list[Problem]:
    problems = (problem for finding in errors.found for problem in _in_words(finding))
    return list(islice(problems, checks.max_problems))


def _validate(definition: str, obj: Any, path: Path, errors: Findings) -> None:
    try:
        verdict.VALIDATORS[definition](obj)
    except RefusedError:
        # Only what is invalid pays for naming what is wrong with it, and for what can.
        from unisights._decoding.generated import findings  # noqa: PLC0415

        findings.VALIDATORS[definition](obj, path, errors)


def descend(obj: Any, steps: tuple[str, ...]) -> list[Any] | tuple[Any, ...]:
    """The array at a place of parsed JSON; empty if there is none."""
    for key in steps:
        if not isinstance(obj, dict):
            return []
        obj = obj.get(key)
    return obj if isinstance(obj, list | tuple) else []


def _validate_member(union: str, item: Any, path: Path, errors: Findings) -> None:
    members = UNIONS[union]
    if not isinstance(item, dict):
        errors.require(path, item, "type", "object")
    elif "type" not in item:
        errors.require(path, item, "required", ["type"])
    elif not isinstance(item["type"], str) or item["type"] not in members:
        errors.require((*path, "type"), item["type"], "enum", [*members])
    elif not _is_taken(members[item["type"]], item):
        _validate(members[item["type"]], item, path, errors)


def _is_taken(member: str, item: dict[str, Any]) -> bool:
    """Whether the fast path takes a member of a union: then it is valid, and soon known to be."""
    try:
        msgspec.convert(item, MEMBERS[member])
    except (*REFUSALS, UnicodeEncodeError):  # the latter for lone surrogates
        return False
    return True


# From findings to problems.

_A_TYPE = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}


def _in_words(finding: Finding) -> Iterator[Problem]:
    pointer = to_pointer(finding.path)
    place = place_in_words(finding.path)
    if finding.rule == "required":
        for name in finding.expected:
            if name not in finding.value:
                yield Problem(pointer, "required", f"{place} must contain '{name}'")
        return
    if isinstance(finding.value, OutOfRange):
        yield Problem(pointer, "json", f"{place} must be a number that a double can hold")
        return
    yield Problem(pointer, finding.rule, f"{place} must {_demand(finding)}")


def _demand(finding: Finding) -> str:
    expected = finding.expected
    match finding.rule:
        case "type":
            names = expected if isinstance(expected, list) else [expected]
            wanted = " or ".join(_A_TYPE[name] for name in names)
            return f"be {wanted}, not {_kind_of(finding.value)}"
        case "enum":
            return f"be one of {', '.join(repr(value) for value in expected)}"
        case "const":
            constants = {True: "true", False: "false"}
            return f"be {constants[expected] if isinstance(expected, bool) else repr(expected)}"
        case "minimum":
            return f"be at least {expected}"
        case "maximum":
            return f"be at most {expected}"
        case "minLength" if expected == 1:
            return "not be empty"
        case "minLength" if isinstance(expected, int):
            return f"have at least {expected} characters"
        case "maxLength" if isinstance(expected, int):
            return f"have at most {expected} characters"
        case "pattern" if expected.startswith("^"):
            return f"match the pattern {expected}"
        case _:
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
