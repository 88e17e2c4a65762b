"""The rows of the spool: payloads to be stored, stored payloads, and the totals."""

import json
from dataclasses import dataclass
from typing import Any, Self

from unisights._spool.stored_requests import write_request
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload


@dataclass(frozen=True, slots=True)
class NewRow:
    """A payload to be stored.

    Attributes:
        raw: its body.
        request: its request, as JSON.
        received_at: when it arrived, in milliseconds since the Unix epoch.
        session_id: its session.
        content_id: its identity by content.
        quarantined: the indexes of its events that were quarantined, as JSON; None: there are none.
    """

    raw: bytes
    request: str
    received_at: int
    session_id: str | None
    content_id: str
    quarantined: str | None = None

    @classmethod
    def of(cls, payload: UnisightsPayload, info: RequestInfo) -> Self:
        """Return the row of an accepted payload."""
        return cls(
            payload.raw,
            write_request(info),
            payload.received_at,
            _session_of(payload),
            payload.content_id,
            json.dumps(payload.quarantined) if payload.quarantined else None,
        )

    @property
    def size(self) -> int:
        """The bytes of `spool_bytes` that it uses."""
        return size_of(self.raw, self.request, self.quarantined)


@dataclass(frozen=True, slots=True)
class Row:
    """A payload that was read from the spool.

    Attributes:
        id: its number; a later commit's is greater.
        attempts: the number of attempts that have failed.
        age: how long it has been waiting, in seconds; 0 for a dead letter.
        size: its size, in bytes, as for `NewRow`.
        received_at, session_id, content_id, request, raw, quarantined: as they were stored.
    """

    id: int
    attempts: int
    age: float
    size: int
    received_at: int
    session_id: str | None
    content_id: str
    request: str
    raw: bytes
    quarantined: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers and bytes in the spool now, and the numbers stored since the file was made."""

    waiting: int
    waiting_bytes: int
    dead: int
    dead_bytes: int
    rejected: int
    rejected_bytes: int
    stored: int
    commits: int


def size_of(raw: bytes, *texts: str | None) -> int:
    """Return the size of a body and of texts, in bytes; the texts are stored as UTF-8."""
    return len(raw) + sum(len(text.encode()) for text in texts if text)


def _session_of(payload: UnisightsPayload) -> str | None:
    # Only payloads that were not validated hold anything but a string.
    session_id: Any = payload.data.session_id
    if session_id is None or isinstance(session_id, str):
        return session_id
    return json.dumps(session_id)
