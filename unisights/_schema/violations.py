"""What the compiled validators report."""

from dataclasses import dataclass
from typing import Any

from unisights._schema.checks import ALL_CHECKS, Checks

Path = tuple[str | int, ...]
"""A place in a payload: keys and indices."""


class TooManyViolationsError(Exception):
    """As many violations were added as are listed; the rest is not looked for."""


class OutOfRange:
    """Stands for a number in JSON that no double can hold.

    It is of no JSON type: where nobody reads it, it does not matter; where a value is wanted, it
    breaks the rule on the type.
    """


@dataclass(slots=True)
class Violation:
    """One broken rule.

    Attributes:
        path: the place.
        value: what is there.
        rule: the schema keyword that is broken.
        expected: what the keyword demands; of `required`, the name of the missing property.
    """

    path: Path
    value: Any
    rule: str
    expected: Any


class Violations:
    """Collects the violations of enforced rules.

    Attributes:
        found: the violations, in the payload's order; as many as there will be problems.
    """

    def __init__(self, checks: Checks = ALL_CHECKS, limit: int | None = None) -> None:
        self._checks = checks
        self._limit = checks.max_problems if limit is None else limit
        self.found: list[Violation] = []

    def add(self, path: Path, value: Any, rule: str, expected: Any) -> None:
        """Add a violation, if its rule is enforced; called by the compiled validators.

        Raises:
            TooManyViolationsError: there are enough.
        """
        if not self._checks.enforce(rule, expected):
            return
        if rule == "required":
            for name in expected:
                if name not in value:
                    self.require(path, value, rule, name)
        else:
            self.require(path, value, rule, expected)

    def require(self, path: Path, value: Any, rule: str, expected: Any) -> None:
        """Add a violation of a rule that no option switches off.

        Raises:
            TooManyViolationsError: there are enough.
        """
        self.found.append(Violation(path, value, rule, expected))
        if len(self.found) >= self._limit:
            raise TooManyViolationsError
