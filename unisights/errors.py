"""The exceptions of the package; all are `UnisightsError`."""

from collections.abc import Sequence
from dataclasses import dataclass


class UnisightsError(Exception):
    """The base class of every exception that unisights raises on purpose."""


class ConfigurationError(UnisightsError, ValueError):
    """An option has a value that cannot work; the message names the option and a remedy."""


class InvalidJSONError(UnisightsError, ValueError):
    """The body is not JSON that can be decoded: refused with 400."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule that a payload breaks, in words for people.

    Attributes:
        pointer: the place in the payload, as a JSON Pointer (RFC 6901); the empty string is the
            whole payload.
        rule: the broken rule: a JSON Schema keyword (`required`, `type`, `minimum` …), or one of
            `base64`, `tag`, `site_id` and `json`, which a schema cannot express.
        message: the place and the rule in words.
    """

    pointer: str
    rule: str
    message: str

    @property
    def event(self) -> int | None:
        """The index in `data.events` of the event with this problem; None if it is in no event."""
        root, *steps = self.pointer.split("/", 4)
        is_inside = not root and steps[:2] == ["data", "events"] and len(steps) > 2
        return int(steps[2]) if is_inside and steps[2].isdecimal() else None

    def to_dict(self) -> dict[str, str]:
        """Return the problem as the JSON of a 422 response holds it."""
        return {"pointer": self.pointer, "rule": self.rule, "message": self.message}


class ValidationError(UnisightsError, ValueError):
    """The body is JSON, but not a valid payload: refused with 422.

    Attributes:
        problems: every problem, at least one; of more than a thousand, the first thousand.
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


class PermanentError(UnisightsError):
    """A handler raises it for a payload that no further attempt could handle.

    With durable delivery, the payload becomes a dead letter at once. With every delivery, it is
    passed to `on_error`, and its text is logged without a traceback, as it is raised on purpose. An
    exception group that holds nothing else means the same. If a handler's `open` raises it, it is
    treated like other exceptions.
    """


class UndeliveredError(UnisightsError):
    """A payload was not handled, although its handler did not fail; `on_error` gets the payload.

    The process ended before its turn, or its time or its room in the spool was used up.
    """


class SinkError(UnisightsError):
    """A sink could not store a payload, or cannot be used; the message says where and why."""


class StoreError(SinkError):
    """A SQLite file cannot be used; the message says why.

    It is the file of a `SQLiteSink`, whose errors are all `SinkError`, or a spool.
    """


class DecryptionError(ValidationError):
    """An encrypted payload cannot be decrypted or contradicts its envelope: refused with 422."""
