"""What can go wrong, as exceptions: all are `UnisightsError`."""

from collections.abc import Sequence
from dataclasses import dataclass


class UnisightsError(Exception):
    """The base of every exception that unisights raises on purpose."""


class ConfigurationError(UnisightsError, ValueError):
    """An option has a value that cannot work; the message names the option and the mend."""


class InvalidJSONError(UnisightsError, ValueError):
    """The bytes are not JSON that can be decoded: answered 400."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a payload.

    Attributes:
        pointer: where, as a JSON Pointer (RFC 6901); the empty string is the whole payload.
        rule: the broken rule: a JSON Schema keyword (`required`, `type`, `minimum` …), or
            `base64`, `tag`, `site_id`, `json` for what a schema cannot say.
        message: the place and the rule in words.
    """

    pointer: str
    rule: str
    message: str

    @property
    def event(self) -> int | None:
        """The index in `data.events` of the event that it is in; None elsewhere."""
        root, *steps = self.pointer.split("/", 4)
        is_inside = not root and steps[:2] == ["data", "events"] and len(steps) > 2
        return int(steps[2]) if is_inside and steps[2].isdecimal() else None

    def to_dict(self) -> dict[str, str]:
        """Return the problem as the answer's JSON has it."""
        return {"pointer": self.pointer, "rule": self.rule, "message": self.message}


class ValidationError(UnisightsError, ValueError):
    """The payload is JSON, but not a valid payload: answered 422.

    Attributes:
        problems: every problem, at least one; a payload with more than a thousand of them has
            only the first thousand listed.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        first = self.problems[0].message
        rest = len(self.problems) - 1
        if not rest:
            return first
        return f"{first} (and {rest} more problem{'s' if rest > 1 else ''})"


class UndeliveredError(UnisightsError):
    """The process ended before a payload was handled; `on_error` gets the payload."""


class SinkError(UnisightsError):
    """A sink could not store a payload, or cannot be used; the message says where and why."""


class StoreError(SinkError):
    """A file cannot be used, as a store or as the spool; the message says why."""


class DecryptionError(ValidationError):
    """An encrypted payload cannot be decrypted, or is not what it claims to be: answered 422."""
