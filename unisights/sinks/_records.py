"""What a destination that takes messages holds for each payload: one layout for all of them."""

from typing import Any

import msgspec

from unisights.schema import SCHEMA_VERSION
from unisights.types import UnisightsPayload

encode = msgspec.json.Encoder().encode


def make_record(payload: UnisightsPayload) -> dict[str, Any]:
    """Return a payload as it is kept outside, ready for JSON; the keys are in a fixed order.

    `content_id` tells a payload that came twice, `received_at` is the server's time in
    milliseconds since the Unix epoch, `clock_skew` the visitor's clock less the server's in
    milliseconds or null, `encrypted` says how it came, `schema_version` which schema it was read
    by, and `data` is the session with its events.
    """
    return {
        "content_id": payload.content_id,
        "received_at": payload.received_at,
        "clock_skew": payload.clock_skew,
        "encrypted": payload.encrypted,
        "schema_version": SCHEMA_VERSION,
        "data": payload.data.to_dict(),
    }
