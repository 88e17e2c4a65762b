"""The authority on what is valid: the compiled validators, and what they find in words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from unisights._findings import MAX_FINDINGS, Finding, FindingsError, RefusedError
from unisights._generated import findings, verdict
from unisights._generated.builder import BATCHES, UNIONS
from unisights._json import escape
from unisights.errors import Problem


@dataclass(frozen=True, slots=True)
class Checks:
    """Which rules are enforced.

    Whatever is switched off, the payload must have a shape that dataclasses can be built from:
    objects and arrays where they belong, and events of known types.

    Attributes:
        values: the rules on values: types, bounds, patterns.
        required: that required properties are there.
    """

    values: bool = True
    required: bool = True

    def enforce(self, finding: Finding) -> bool:
        """Whether a broken rule makes the payload invalid."""
        if finding.rule == "required":
            return self.required
        return self.values or (finding.rule == "type" and finding.expected in {"object", "array"})


ALL_CHECKS = Checks()


def find_problems(
    definition: str, obj: Any, pointer: str = "", checks: Checks = ALL_CHECKS
) -> list[Problem]:
    """Validate parsed JSON against one of the schema's definitions.

    Args:
        definition: the definition's name.
        obj: parsed JSON.
        pointer: where `obj` is in the payload; goes before every problem's pointer.
        checks: which rules are enforced.

    Returns:
        Every problem, in the payload's order, at most `MAX_FINDINGS`; none if it is valid.
    """
    problems: list[Problem] = []
    for finding in _findings(definition, obj):
        if checks.enforce(finding):
            problems += _in_words(finding, obj, pointer)
    for path, union in BATCHES.get(definition, ()):
        batch = _descend(obj, path)
        place = "/".join((pointer, *path))
        for index, item in enumerate(batch):
            if len(problems) >= MAX_FINDINGS:
                break
            problems += _item_problems(union, item, f"{place}/{index}", checks)
    return problems[:MAX_FINDINGS]


def _findings(definition: str, obj: Any) -> list[Finding]:
    try:
        verdict.VALIDATORS[definition](obj)
    except RefusedError:
        # Only what is invalid pays for naming what is wrong with it.
        try:
            findings.VALIDATORS[definition](obj)
        except FindingsError as error:
            return error.errors
    return []


def _descend(obj: Any, path: tuple[str, ...]) -> list[Any] | tuple[Any, ...]:
    for key in path:
        if not isinstance(obj, dict):
            return []
        obj = obj.get(key)
    return obj if isinstance(obj, list | tuple) else []


def _item_problems(union: str, item: Any, pointer: str, checks: Checks) -> list[Problem]:
    members = UNIONS[union]
    if not isinstance(item, dict):
        return list(_in_words(Finding("data", item, "type", "object"), item, pointer))
    if "type" not in item:
        return list(_in_words(Finding("data", item, "required", ["type"]), item, pointer))
    tag = item["type"]
    definition = members.get(tag) if isinstance(tag, str) else None
    if definition is None:
        return list(_in_words(Finding("data.type", tag, "enum", [*members]), item, pointer))
    return [
        problem
        for finding in _findings(definition, item)
        if checks.enforce(finding)
        for problem in _in_words(finding, item, pointer)
    ]


# From findings to problems.

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INDEX = re.compile(r"\[(\d+)\]")

_A_TYPE = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}


def _in_words(finding: Finding, obj: Any, prefix: str) -> Iterator[Problem]:
    tokens = _tokens(obj, finding.name.removeprefix("data"))
    pointer = prefix + "".join(f"/{escape(token)}" for token in tokens)
    place = pointer_in_words(pointer)
    if finding.rule == "required":
        for name in finding.expected:
            if name not in finding.value:
                yield Problem(pointer, "required", f"{place} must contain '{name}'")
        return
    yield Problem(pointer, finding.rule, f"{place} must {_demand(finding)}")


def _demand(finding: Finding) -> str:
    expected = finding.expected
    match finding.rule:
        case "type":
            names = expected if isinstance(expected, list) else [expected]
            wanted = " or ".join(_A_TYPE[name] for name in names)
            return f"be {wanted}, not {_A_TYPE.get(_type_of(finding.value), 'something else')}"
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


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list() | tuple():
            return "array"
        case dict():
            return "object"
    return type(value).__name__


def _tokens(obj: Any, path: str) -> tuple[str, ...]:
    """The keys of a place that the validator names as `.events[3].x`."""
    return _resolved(obj, path) or ()


def _resolved(obj: Any, path: str) -> tuple[str, ...] | None:
    if not path:
        return ()
    if isinstance(obj, dict) and path[0] == ".":
        rest = path[1:]
        # A property that the schema names is an identifier. Other keys may hold dots and
        # brackets, but what is below them is never named.
        name = _IDENTIFIER.match(rest)
        if name is not None and name.group() in obj:
            below = _resolved(obj[name.group()], rest[name.end() :])
            if below is not None:
                return (name.group(), *below)
        return (rest,) if rest in obj else None
    index = _INDEX.match(path)
    if isinstance(obj, list | tuple) and index is not None and int(index[1]) < len(obj):
        below = _resolved(obj[int(index[1])], path[index.end() :])
        return None if below is None else (index[1], *below)
    return None


def pointer_in_words(pointer: str) -> str:
    """A JSON Pointer as people write places: `data.events[3].x`."""
    place = ""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if key.isdecimal():
            place += f"[{key}]"
        else:
            place += f".{key}" if place else key
    return place or "the payload"
