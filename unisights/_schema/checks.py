"""Which of the schema's rules are enforced."""

from dataclasses import dataclass
from typing import Any

MAX_VIOLATIONS = 1000
"""The greatest number of problems that are listed. An attacker picks the payload, and lists cost
memory."""

MAX_LISTED = 100
"""The greatest number of problems that a 422 response or a rejection lists."""


@dataclass(frozen=True, slots=True)
class Checks:
    """How a payload is checked.

    Even with all rules switched off, the types must be able to hold the payload: it has objects and
    arrays where they belong, and events of known types.

    Attributes:
        values: the rules on values: types, bounds, patterns.
        required: the rule that required properties are there.
        max_problems: the greatest number of problems that are listed; the search ends there.
    """

    values: bool = True
    required: bool = True
    max_problems: int = MAX_VIOLATIONS

    def is_enforced(self, keyword: str, expected: Any) -> bool:
        """Whether a rule is enforced: a keyword of the schema and the value that it demands."""
        if keyword == "required":
            return self.required
        return self.values or (keyword == "type" and expected in ("object", "array"))


ALL_CHECKS = Checks()
