"""Violations: the broken rules that the compiled validators report."""

from dataclasses import dataclass
from typing import Any

from unisights._schema.checks import ALL_CHECKS, Checks

Path = tuple[str | int, ...]
"""A place in a payload: keys and indices."""


class TooManyViolationsError(Exception):
    """The greatest number of violations has been added; the search ends."""


class OutOfRange:
    """Stands for a number in JSON that no double can hold.

    It has no JSON type: it breaks every rule on the type of a value, and does not matter in a
    property that the schema does not know.
    """


@dataclass(slots=True)
class Violation:
    """One broken rule.

    Attributes:
        path: the place.
        value: the value at that place.
        rule: the schema keyword that is broken.
        expected: the value of the keyword in the schema; for `required`, the name of the missing
            property.
    """

    path: Path
    value: Any
    rule: str
    expected: Any


class Violations:
    """Collects the violations of enforced rules.

    Attributes:
        found: the violations, in the payload's order.
    """

    def __init__(self, checks: Checks = ALL_CHECKS, limit: int | None = None) -> None:
        self._checks = checks
        self._limit = checks.max_problems if limit is None else limit
        self.found: list[Violation] = []

    def add(self, path: Path, value: Any, rule: str, expected: Any) -> None:
        """Add a violation, if its rule is enforced; called by the compiled validators.

        Raises:
            TooManyViolationsError: the limit is reached.
        """
        if not self._checks.is_enforced(rule, expected):
            return
        if rule == "required":
            for name in expected:
                if name not in value:
                    self.add_always(path, value, rule, name)
        else:
            self.add_always(path, value, rule, expected)

    def add_always(self, path: Path, value: Any, rule: str, expected: Any) -> None:
        """Add a violation of a rule that no option switches off.

        Raises:
            TooManyViolationsError: the limit is reached.
        """
        self.found.append(Violation(path, value, rule, expected))
        if len(self.found) >= self._limit:
            raise TooManyViolationsError
