"""What makes a payload the same payload when it comes again, and when it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from unisights.types import UnisightsPayload

BUCKET_MS = 30_000
"""How long a bucket is, in milliseconds; see `encryption`."""

_MAX_TIME = 2**53 - 1
"""The greatest number of milliseconds that the schema takes; beyond it, nothing is a time."""

# Sorted keys: two equal objects make the same bytes.
_canonical = msgspec.json.Encoder(order="deterministic").encode


def content_id(payload: UnisightsPayload) -> str:
    """Return `UnisightsPayload.content_id`."""
    return digest(payload.raw or _canonical(payload.to_dict()))


def digest(body: bytes) -> str:
    """Return the id of a body."""
    from hashlib import blake2b  # noqa: PLC0415  # with OpenSSL behind it, for few

    return blake2b(body, digest_size=16).hexdigest()


def clock_skew(payload: UnisightsPayload) -> int | None:
    """Return `UnisightsPayload.clock_skew`."""
    times = (event.data.timestamp for event in payload.data.events)
    # Unchecked payloads may hold anything for a time.
    sent_at = max((t for t in times if type(t) is int and 0 <= t <= _MAX_TIME), default=None)
    if payload.sent_bucket is not None:
        first = payload.sent_bucket * BUCKET_MS
        if first <= _MAX_TIME:
            sent_at = first if sent_at is None else min(max(sent_at, first), first + BUCKET_MS - 1)
    if sent_at is None or not payload.received_at:
        return None
    return sent_at - payload.received_at
