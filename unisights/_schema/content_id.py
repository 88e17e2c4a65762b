"""What makes a payload the same payload when it comes again."""

from typing import Any

import msgspec

# Sorted keys: two equal objects make the same bytes.
_canonical = msgspec.json.Encoder(order="deterministic").encode


def canonical(obj: Any) -> bytes:
    """Return an object as JSON; equal objects make the same bytes."""
    return _canonical(obj)


def digest(body: bytes) -> str:
    """Return the content id of a body: its 128-bit BLAKE2b hash, in hexadecimal."""
    from hashlib import blake2b  # noqa: PLC0415  # with OpenSSL behind it, for few

    return blake2b(body, digest_size=16).hexdigest()
