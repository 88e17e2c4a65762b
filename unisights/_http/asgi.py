"""Requests and responses as ASGI has them."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from unisights._http.cors import REMEMBERED, Headers
from unisights._http.responses import HTTPResponse
from unisights.request import RequestInfo, merge_headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def read_info(scope: Scope) -> RequestInfo:
    """Take a snapshot of a request from its scope."""
    pairs = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in scope["headers"]
    ]
    headers = dict(pairs)
    if len(headers) < len(pairs):
        headers = merge_headers(pairs)
    client = scope.get("client")
    return RequestInfo(
        method=scope["method"],
        path=scope["path"],
        headers=MappingProxyType(headers),
        client=client[0] if client else None,
    )


class MessageReader:
    """Reads a body from ASGI's messages.

    Args:
        receive: the server's.
    """

    __slots__ = ("_is_more", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_more = True

    async def read(self, _size: int) -> bytes | None:
        """Read the next piece, however large: nothing at the end, None if the client went away."""
        while self._is_more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            self._is_more = message.get("more_body", False)
            if body := message.get("body", b""):
                return bytes(body)
        return b""


async def send_response(send: Send, response: HTTPResponse) -> None:
    """Send a response."""
    # A list of its own: middleware may add to it.
    headers = [*_encoded(response.headers)]
    if response.status != 204:
        headers.append((b"content-length", b"%d" % len(response.body)))
    start = {"type": "http.response.start", "status": response.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": response.body})


@lru_cache(maxsize=REMEMBERED)
def _encoded(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """Headers as ASGI has them; those of one site's responses are the same again and again."""
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers)
