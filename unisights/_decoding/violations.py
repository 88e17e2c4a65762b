"""What the compiled validators raise and collect."""

from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""A place in a payload: keys and indices."""

MAX_FINDINGS = 1000
"""At most so many problems are listed: an attacker picks the payload, and lists cost memory."""


class RefusedError(Exception):
    """The object is invalid."""


class TooManyFindingsError(Exception):
    """There are as many findings as are listed; the rest is not looked for."""


@dataclass(frozen=True, slots=True)
class Checks:
    """How a payload is checked.

    Whatever is switched off, the payload must have a shape that dataclasses can be built from:
    objects and arrays where they belong, and events of known types.

    Attributes:
        values: the rules on values: types, bounds, patterns.
        required: that required properties are there.
        max_problems: how many problems are listed; the rest is not looked for.
    """

    values: bool = True
    required: bool = True
    max_problems: int = MAX_FINDINGS


ALL_CHECKS = Checks()


@dataclass(slots=True)
class Finding:
    """One broken rule.

    Attributes:
        path: the place.
        value: what is there.
        rule: the schema keyword that was broken.
        expected: what the keyword demands.
    """

    path: Path
    value: Any
    rule: str
    expected: Any


class Findings:
    """Collects the broken rules that are enforced."""

    def __init__(self, checks: Checks = ALL_CHECKS) -> None:
        self._checks = checks
        self.found: list[Finding] = []

    def add(self, path: Path, value: Any, rule: str, expected: Any) -> None:
        """Note a broken rule, if it is enforced.

        Raises:
            TooManyFindingsError: there are enough.
        """
        if isinstance(value, OutOfRange) or self._enforces(rule, expected):
            self.require(path, value, rule, expected)

    def require(self, path: Path, value: Any, rule: str, expected: Any) -> None:
        """Note a broken rule that no option switches off.

        Raises:
            TooManyFindingsError: there are enough.
        """
        self.found.append(Finding(path, value, rule, expected))
        if len(self.found) >= self._checks.max_problems:
            raise TooManyFindingsError

    def _enforces(self, rule: str, expected: Any) -> bool:
        if rule == "required":
            return self._checks.required
        return self._checks.values or (rule == "type" and expected in ("object", "array"))


class OutOfRange:
    """Stands for a number in JSON that no double can hold.

    Where nobody reads it, it does not matter; where a value is wanted, it is none.
    """
