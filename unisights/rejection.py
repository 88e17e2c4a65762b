"""What is kept of a body that was refused, or of which events were quarantined."""

import base64
from dataclasses import dataclass, field
from typing import Any, Literal

from unisights.errors import DecryptionError, InvalidJSONError, Problem, UnisightsError
from unisights.request import RequestInfo
from unisights.schema import SCHEMA_VERSION

RejectionReason = Literal["invalid_json", "undecryptable", "invalid_payload", "invalid_events"]
"""Why something was rejected: codes that do not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """What `on_reject` gets.

    Attributes:
        reason: `"invalid_json"`: the body is not JSON; `"undecryptable"`: it is an encrypted
            payload that cannot be decrypted, or is not what it claims to be; `"invalid_payload"`:
            more than events breaks the schema; `"invalid_events"`: nothing but events does.
        status: what the body was refused with, 400 or 422; None if it was not: only some of its
            events were quarantined.
        problems: what is wrong, at most 100 problems.
        quarantined: the indexes, in the batch as received, of all events that were quarantined;
            empty if the whole body was refused.
        schema_version: the version of the schema that it was judged by.
        received_at: when it came, in milliseconds since the Unix epoch, by this host's clock.
        raw: the body as received, inflated if it came compressed.
        request: the request that brought it.
    """

    reason: RejectionReason
    status: int | None
    problems: tuple[Problem, ...]
    quarantined: tuple[int, ...] = ()
    schema_version: str = SCHEMA_VERSION
    received_at: int
    raw: bytes = field(repr=False)
    request: RequestInfo = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for `json.dumps`.

        Each problem has the index of its event, or null; the body is in `body`, or, if it is not
        UTF-8, as base64 in `body_base64`.
        """
        return {
            "reason": self.reason,
            "status": self.status,
            "problems": describe_problems(self.problems),
            "quarantined": list(self.quarantined),
            "schema_version": self.schema_version,
            "received_at": self.received_at,
            "request": self.request.to_dict(),
            **describe_body(self.raw),
        }


def classify(error: UnisightsError) -> tuple[RejectionReason, tuple[Problem, ...]]:
    """Why a body is refused, and what is wrong with it."""
    if isinstance(error, InvalidJSONError):
        return "invalid_json", (Problem("", "json", str(error)),)
    problems: tuple[Problem, ...] = getattr(error, "problems", ())
    if isinstance(error, DecryptionError):
        return "undecryptable", problems
    # What is wrong outside of events is found first.
    is_of_events = all(problem.event is not None for problem in problems[:1])
    return "invalid_events" if is_of_events else "invalid_payload", problems


def describe_problems(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    """Problems as they are kept, ready for JSON."""
    return [{**problem.to_dict(), "event": problem.event} for problem in problems]


def describe_body(raw: bytes) -> dict[str, str]:
    """A body as it is written into JSON: as text if it is some."""
    try:
        return {"body": raw.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(raw).decode()}
