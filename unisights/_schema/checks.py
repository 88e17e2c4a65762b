"""Which of the schema's rules are enforced."""

from dataclasses import dataclass
from typing import Any

MAX_VIOLATIONS = 1000
"""At most so many problems are listed: an attacker picks the payload, and lists cost memory."""


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
    max_problems: int = MAX_VIOLATIONS

    def enforce(self, rule: str, expected: Any) -> bool:
        """Whether a rule is enforced, a schema keyword with what it demands."""
        if rule == "required":
            return self.required
        return self.values or (rule == "type" and expected in ("object", "array"))


ALL_CHECKS = Checks()
