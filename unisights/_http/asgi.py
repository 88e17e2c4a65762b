"""Requests and responses as ASGI presents them."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from unisights._http.cors import CACHED_ORIGINS, Headers
from unisights._http.headers import COMMON_HEADERS
from unisights._http.responses import HTTPResponse
from unisights.request import RequestInfo, merge_headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def read_info(scope: Scope) -> RequestInfo:
    """Make the snapshot of a request from its HTTP scope."""
    pairs = [*scope["headers"]]
    known = _HEADER_NAMES.get
    headers = {known(name) or _header_name(name): value.decode("latin-1") for name, value in pairs}
    if len(headers) < len(pairs):
        headers = merge_headers(
            (_header_name(name), value.decode("latin-1")) for name, value in pairs
        )
    client = scope.get("client")
    return RequestInfo(
        method=scope["method"],
        path=scope["path"],
        headers=MappingProxyType(headers),
        client=client[0] if client else None,
    )


def _header_name(name: bytes) -> str:
    """Return the name of a header; some servers keep the capitals that the client sent."""
    return name.decode("latin-1").lower()


_HEADER_NAMES = {name.encode(): name for name in COMMON_HEADERS}


class ASGIBody:
    """A request's body in the server's messages.

    Args:
        receive: the server's `receive`.

    Attributes:
        has_ended: whether there is nothing left to read.
    """

    __slots__ = ("_receive", "has_ended")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.has_ended = False

    async def read(self) -> bytes | None:
        """Read the next piece, of any size; None if the client has disconnected."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.has_ended = True
            return None
        self.has_ended = not message.get("more_body", False)
        return bytes(message.get("body", b""))


def to_messages(response: HTTPResponse) -> tuple[Message, Message]:
    """Return the two messages of a response, for the server's `send`."""
    # Middleware may add to this list, so each response has its own.
    headers = [*_encode(response.headers)]
    if response.status != 204:  # as `content_length` says, in less time
        headers.append((b"content-length", b"%d" % len(response.body)))
    start = {"type": "http.response.start", "status": response.status, "headers": headers}
    return start, {"type": "http.response.body", "body": response.body}


@lru_cache(maxsize=CACHED_ORIGINS)
def _encode(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """Encode headers as ASGI wants them; most responses to one origin have the same."""
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers)
