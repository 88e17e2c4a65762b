"""ASGI without a framework."""

from typing import Any

import orjson

from benchmarks.apps import HEADERS, RESPONSE
from unisights.asgi import unisights_asgi

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        *((name.encode(), value.encode()) for name, value in HEADERS.items()),
        (b"content-length", str(len(RESPONSE)).encode()),
    ],
}
_BODY = {"type": "http.response.body", "body": RESPONSE}


async def read(scope: Any, receive: Any, send: Any) -> None:
    """Read the body; do nothing with it."""
    if scope["type"] == "http":
        await _read_body(receive)
        await send(_START)
        await send(_BODY)


async def parse(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and parse it."""
    if scope["type"] == "http":
        orjson.loads(await _read_body(receive))
        await send(_START)
        await send(_BODY)


async def _read_body(receive: Any) -> bytes:
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


endpoint = unisights_asgi()
