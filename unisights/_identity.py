"""Who is who: an identity for what the client sends without one."""

import hashlib
import json
from typing import Any

_BYTES = 16


def content_id(payload: Any) -> str:
    """Identify a payload by its content: 128 bits of BLAKE2b, in hexadecimal.

    The same body, sent twice, has the same id: the client gives its payloads none. It is that of
    `payload.raw`; of a payload that was not made from bytes, that of its canonical JSON.
    """
    raw: bytes = payload.raw or _canonical(payload.to_dict())
    return hashlib.blake2b(raw, digest_size=_BYTES).hexdigest()


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Lone surrogates are text that UTF-8 has no bytes for.
    return text.encode("utf-8", "surrogatepass")
