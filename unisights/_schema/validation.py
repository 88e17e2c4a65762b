"""Validates parsed JSON by the schema's definitions, with the compiled validators.

The compiled validators leave out unions (`codegen.emit_validators` says why). Here the members of
unions are validated one by one, each by the definition that its `type` stands for. Most members are
valid, even in an invalid body, so msgspec, which is faster, tries them first.
"""

import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec

from unisights._schema.checks import ALL_CHECKS, Checks
from unisights._schema.generated.members import MEMBERS
from unisights._schema.generated.validators import UNION_ARRAYS, UNIONS, VALIDATORS
from unisights._schema.messages import to_problem
from unisights._schema.violations import Path, TooManyViolationsError, Violations
from unisights.errors import Problem


def find_problems(
    definition: str,
    obj: Any,
    path: Path = (),
    checks: Checks = ALL_CHECKS,
    *,
    members: bool = True,
) -> list[Problem]:
    """Validate parsed JSON by one of the schema's definitions.

    Args:
        definition: the definition's name.
        obj: parsed JSON.
        path: the place of `obj` in the payload; every problem's place begins with it.
        checks: which rules are enforced.
        members: whether the members of its arrays of unions are validated, too.

    Returns:
        The problems, in the payload's order, at most `checks.max_problems`; none if it is valid.
    """
    violations = Violations(checks)
    with contextlib.suppress(TooManyViolationsError):
        VALIDATORS[definition](obj, path, violations)
        for steps, union in UNION_ARRAYS.get(definition, ()) if members else ():
            for index, item in enumerate(array_at(obj, steps)):
                _validate_member(union, item, (*path, *steps, index), violations)
    return [to_problem(violation) for violation in violations.found]


def find_member_problems(
    union: str, members: Iterable[tuple[Path, Any]], checks: Checks
) -> list[Problem]:
    """Validate members of a union, each with its path; return what `find_problems` returns."""
    violations = Violations(checks)
    with contextlib.suppress(TooManyViolationsError):
        for path, item in members:
            _validate_member(union, item, path, violations)
    return [to_problem(violation) for violation in violations.found]


def is_valid_member(union: str, item: Any, checks: Checks) -> bool:
    """Whether `find_member_problems` would find nothing; it stops at the first violation."""
    if _is_valid_for_msgspec(union, item):
        return True
    try:
        _add_violations(union, item, (), Violations(checks, limit=1))
    except TooManyViolationsError:
        return False
    return True


def array_at(obj: Any, steps: tuple[str, ...]) -> list[Any]:
    """Return the array at a place of parsed JSON; empty if there is none."""
    for key in steps:
        if not isinstance(obj, dict):
            return []
        obj = obj.get(key)
    return obj if isinstance(obj, list) else []


def _validate_member(union: str, item: Any, path: Path, violations: Violations) -> None:
    if not _is_valid_for_msgspec(union, item):
        _add_violations(union, item, path, violations)


def _add_violations(union: str, item: Any, path: Path, violations: Violations) -> None:
    members = UNIONS[union]
    if not isinstance(item, dict):
        violations.add_always(path, item, "type", "object")
    elif "type" not in item:
        violations.add_always(path, item, "required", "type")
    elif not isinstance(item["type"], str) or item["type"] not in members:
        violations.add_always((*path, "type"), item["type"], "enum", [*members])
    else:
        VALIDATORS[members[item["type"]]](item, path, violations)


def _is_valid_for_msgspec(union: str, item: Any) -> bool:
    """Whether msgspec converts a member of a union: then it is valid. Others may be valid, too."""
    tag = item.get("type") if isinstance(item, dict) else None
    struct = MEMBERS.get(UNIONS[union].get(tag, "")) if isinstance(tag, str) else None
    if struct is None:
        return False
    try:
        msgspec.convert(item, struct)
    except (msgspec.ValidationError, RecursionError, UnicodeEncodeError):  # lone surrogates
        return False
    return True
