"""What the compiled validators raise and collect."""

from dataclasses import dataclass
from typing import Any

MAX_FINDINGS = 1000
"""At most so many problems are listed: an attacker picks the payload, and lists cost memory."""


class RefusedError(Exception):
    """The object is invalid."""


@dataclass(slots=True)
class Finding:
    """One broken rule.

    Attributes:
        name: the place, as `data.events[3].x`, `data` being the validated object.
        value: what is there.
        rule: the schema keyword that was broken.
        expected: what the keyword demands.
    """

    name: str
    value: Any
    rule: str
    expected: Any


class Findings(list[Finding]):
    """Collects findings; when there are too many, it ends the validation that collects them."""

    def append(self, finding: Finding) -> None:
        """Add a finding."""
        super().append(finding)
        self._limit()

    def extend(self, findings: "Findings") -> None:  # type: ignore[override]  # only findings
        """Add another validation's findings."""
        super().extend(findings)
        self._limit()

    def _limit(self) -> None:
        if len(self) >= MAX_FINDINGS:
            raise FindingsError(self)


class FindingsError(Exception):
    """The object is invalid: holds what was found."""

    def __init__(self, errors: Findings) -> None:
        super().__init__()
        self.errors = errors
