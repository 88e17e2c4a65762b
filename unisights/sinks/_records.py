"""The record of a payload: one layout for all destinations that take messages."""

from typing import Any

import msgspec

from unisights.schema import SCHEMA_VERSION
from unisights.types import UnisightsPayload

encode = msgspec.json.Encoder().encode
"""Encode as JSON, in bytes."""


def make_record(payload: UnisightsPayload) -> dict[str, Any]:
    """Return the record of a payload, ready for JSON. Its keys are always in this order.

    - `content_id`: the hash of the body, the same for a payload that came twice.
    - `received_at`: when it came, by the server's clock, in milliseconds since the Unix epoch.
    - `clock_skew`: the visitor's clock minus the server's, in milliseconds, or None.
    - `encrypted`: whether it came encrypted.
    - `schema_version`: the version of the schema by which it was read.
    - `data`: the session with its events.
    """
    return {
        "content_id": payload.content_id,
        "received_at": payload.received_at,
        "clock_skew": payload.clock_skew,
        "encrypted": payload.encrypted,
        "schema_version": SCHEMA_VERSION,
        "data": payload.data.to_dict(),
    }
