"""What makes a payload the same payload when it comes again."""

from hashlib import blake2b

import msgspec

from unisights.types import UnisightsPayload

# Sorted keys: two equal objects make the same bytes.
_canonical = msgspec.json.Encoder(order="deterministic").encode


def content_id(payload: UnisightsPayload) -> str:
    """Return the id of what was sent: the same for a beacon that a browser sends again.

    It is the 128-bit BLAKE2b hash, in hexadecimal, of `payload.raw`, the body as received. For a
    payload that was not made from bytes, it is that of the canonical JSON of `to_dict()`. So the
    same session sent plain and sent encrypted has two ids.
    """
    return digest(payload.raw or _canonical(payload.to_dict()))


def digest(body: bytes) -> str:
    """Return the id of a body."""
    return blake2b(body, digest_size=16).hexdigest()
