"""The content id: the hash by which a payload is recognised when it comes again."""

from collections.abc import Callable
from typing import Any

import msgspec

canonical: Callable[[Any], bytes] = msgspec.json.Encoder(order="deterministic").encode
"""Encodes an object as JSON with sorted keys; equal objects make the same bytes."""


def digest(body: bytes) -> str:
    """Return the content id of a body: its 128-bit BLAKE2b hash, in hexadecimal."""
    from hashlib import blake2b  # noqa: PLC0415  # loads OpenSSL, which few processes need

    return blake2b(body, digest_size=16).hexdigest()
