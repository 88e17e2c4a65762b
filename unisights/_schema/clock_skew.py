"""How far a visitor's clock is from the receiver's."""

from collections.abc import Iterable

BUCKET_MS = 30_000
"""The length of a bucket, in milliseconds; see `unisights.encryption`."""

_MAX_TIME = 2**53 - 1
"""The greatest time that the schema allows, in milliseconds."""


def clock_skew(times: Iterable[int], sent_bucket: int | None, received_at: int) -> int | None:
    """Return what `UnisightsPayload.clock_skew` defines.

    Args:
        times: the events' times, in milliseconds since the Unix epoch.
        sent_bucket: the bucket that the payload was sent in; None if it came plain.
        received_at: when it was received, in milliseconds since the Unix epoch; 0 if unknown.
    """
    # In a payload that was not checked, a time may be any value.
    sent_at = max((t for t in times if type(t) is int and 0 <= t <= _MAX_TIME), default=None)
    if sent_bucket is not None:
        first = sent_bucket * BUCKET_MS
        if first <= _MAX_TIME:
            sent_at = first if sent_at is None else min(max(sent_at, first), first + BUCKET_MS - 1)
    if sent_at is None or not received_at:
        return None
    return sent_at - received_at
