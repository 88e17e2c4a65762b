"""Payloads as they go into the spool and come out of it, and the spool's totals."""

import json
from dataclasses import dataclass
from typing import Any, Self

from unisights._spool.requests import write_request
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
        """Return what is stored of an accepted payload."""
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
        """How much of `spool_bytes` it uses, in bytes."""
        return len(self.raw) + len(self.request) + len(self.quarantined or "")


@dataclass(frozen=True, slots=True)
class Row:
    """A payload that was read from the spool.

    Attributes:
        id: its number; a later commit's is greater.
        attempts: how many attempts have failed.
        age: how long it has been waiting, in seconds.
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
    """What is in the spool, in number and bytes, and what has been stored since it was made."""

    waiting: int
    waiting_bytes: int
    dead: int
    dead_bytes: int
    rejected: int
    rejected_bytes: int
    stored: int
    commits: int


def _session_of(payload: UnisightsPayload) -> str | None:
    # Only payloads that were not validated hold anything but a string.
    session_id: Any = payload.data.session_id
    if session_id is None or isinstance(session_id, str):
        return session_id
    return json.dumps(session_id)
