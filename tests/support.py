"""What several test modules need: captures, sample payloads, and encrypted bodies."""

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

from unisights import UnisightsPayload
from unisights.encryption import encrypt

ROOT = Path(__file__).resolve().parent.parent
CAPTURE_DIR = ROOT / "schema" / "vectors" / "captures"
CAPTURE_HEADERS = Path(__file__).parent / "captures" / "_headers.json"

CAPTURES = sorted(path.stem for path in CAPTURE_DIR.glob("*.json"))
"""The names of the request bodies recorded from the real browser client."""

SESSION_ID = "550e8400-e29b-41d4-a716-446655440000"

SITE_ID = "site-1"


def capture(name: str) -> bytes:
    """A recorded body, byte for byte."""
    return (CAPTURE_DIR / f"{name}.json").read_bytes()


def capture_headers(name: str) -> dict[str, str]:
    """The headers that were recorded with a body."""
    headers: dict[str, str] = json.loads(CAPTURE_HEADERS.read_text())[name]
    return headers


def make_data(**changes: Any) -> dict[str, Any]:
    """A valid data object, with changes."""
    return {
        "asset_id": SITE_ID,
        "session_id": SESSION_ID,
        "page_url": "https://example.com/",
        "events": [],
        **changes,
    }


def make_payload(**changes: Any) -> dict[str, Any]:
    """A valid plain payload, with changes to its data."""
    return {"data": make_data(**changes), "encrypted": False}


def make_body(**changes: Any) -> bytes:
    """A valid plain payload's JSON."""
    return json.dumps(make_payload(**changes)).encode()


def click(**changes: Any) -> dict[str, Any]:
    """A valid click, with changes to its data."""
    return {"type": "click", "data": {"x": 1, "y": 2, "timestamp": 3, **changes}}


def seal(
    plaintext: bytes,
    *,
    site_id: str = SITE_ID,
    bucket: int = 59845534,
    envelope: bool = False,
    server_secret: str | bytes | None = None,
) -> dict[str, Any]:
    """Encrypt as senders do: at the root as the browser client, or in an envelope."""
    ciphertext, tag = encrypt(
        plaintext, site_id=site_id, bucket=bucket, server_secret=server_secret
    )
    shared = {
        "site_id": site_id,
        "ua_hash": "",
        "bucket": bucket,
        "tag": base64.b64encode(tag).decode(),
    }
    encoded = base64.b64encode(ciphertext).decode()
    if envelope:
        return {"encrypted": True, "envelope": {**shared, "ciphertext": encoded}}
    return {"encrypted": True, "data": encoded, **shared}


def decode_fast(body: bytes) -> UnisightsPayload | None:
    """What the decoders alone make of a body, strict or lenient; None if both refuse."""
    from unisights._decoding.generated import decoder, lenient
    from unisights._decoding.normalization import normalize

    with contextlib.suppress(*decoder.REFUSALS):
        return decoder.decode_UnisightsPayload(body)
    with contextlib.suppress(*lenient.REFUSALS):
        return lenient.decode_UnisightsPayload(normalize(body))
    return None
