"""The record of a body that was refused as invalid, or of which events were quarantined."""

import base64
from dataclasses import dataclass, field
from typing import Any, Literal

from unisights.errors import DecryptionError, InvalidJSONError, Problem, UnisightsError
from unisights.request import RequestInfo
from unisights.schema import SCHEMA_VERSION

RejectionReason = Literal["invalid_json", "undecryptable", "invalid_payload", "invalid_events"]
"""Why there is a rejection, as a stable code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """The record of one rejection, which `on_reject` is called with.

    Attributes:
        reason: `"invalid_json"`: the body is not JSON. `"undecryptable"`: the body is an encrypted
            payload that cannot be decrypted, or whose tag or site id is wrong. `"invalid_payload"`:
            the payload breaks the schema outside of its events, too. `"invalid_events"`: the
            payload breaks the schema in its events only.
        status: the status of the response that refused the body, 400 or 422; None if the body
            was accepted and only some of its events were quarantined.
        problems: the problems of the body, at most 100.
        quarantined: the indexes of the quarantined events in the body's list of events; empty if
            the whole body was refused.
        schema_version: the version of the schema that the body was validated against.
        received_at: when the request arrived, in milliseconds since the Unix epoch, by the clock
            of this machine.
        raw: the body as received, but inflated if it was compressed and can be inflated.
        request: the request that brought the body.
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
        """Return all of it, ready for `json.dumps`.

        The `event` of each problem is the index of the event that it is in, or None. The body is
        in `body` if it is UTF-8; otherwise it is in `body_base64`, as Base64.
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
    """Return the reason for refusing a body that decoding raised an error for, and its problems."""
    if isinstance(error, InvalidJSONError):
        return "invalid_json", (Problem("", "json", str(error)),)
    problems: tuple[Problem, ...] = getattr(error, "problems", ())
    if isinstance(error, DecryptionError):
        return "undecryptable", problems
    # Problems outside of the events come first.
    is_of_events = all(problem.event is not None for problem in problems[:1])
    return "invalid_events" if is_of_events else "invalid_payload", problems


def describe_problems(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    """Return problems ready for `json.dumps`, each with the index of its event."""
    return [{**problem.to_dict(), "event": problem.event} for problem in problems]


def describe_body(raw: bytes) -> dict[str, str]:
    """Return the members that hold a body in JSON: as text if it is UTF-8, otherwise as Base64."""
    try:
        return {"body": raw.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(raw).decode()}
