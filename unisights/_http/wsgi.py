"""What the adapters of synchronous frameworks share: reading a WSGI request, and answering."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from unisights._delivery.base import make_delivery
from unisights._http.body import LINGER_SECONDS, LINGER_SIZE, BodyBuffer, BodyTooLargeError
from unisights._http.responses import HTTPResponse
from unisights.collector import Collector, Decision
from unisights.config import DeliveryMode, UnisightsOptions
from unisights.request import RequestInfo

Read = Callable[[int], bytes]
"""Reads at most so many bytes of a body; none at its end."""

CHUNK_SIZE = 64 * 1024


class SyncEndpoint:
    """Serves the endpoint's requests, in the thread that brings them."""

    def __init__(self, options: UnisightsOptions, default: DeliveryMode) -> None:
        self.collector = Collector(options)
        self.delivery = make_delivery(self.collector, default)

    def answer(
        self, info: RequestInfo, read: Read, make_request: Callable[[bytes], Any]
    ) -> HTTPResponse:
        """Answer a request.

        Args:
            info: the request.
            read: reads its body.
            make_request: makes the framework's request, given the body that was read.
        """
        return self.delivery.settle_sync(info, self.receive(info, read), make_request)

    def receive(self, info: RequestInfo, read: Read) -> Decision:
        """Read and decide: the payload, or why it is refused."""
        if (refusal := self.collector.screen(info)) is not None:
            _linger(info, read)
            return refusal
        buffer = self.collector.buffer(info)
        try:
            is_whole = _read_into(buffer, info, read)
        except BodyTooLargeError:
            _linger(info, read)
            return self.collector.too_large(info)
        if not is_whole:
            return self.collector.cut_body(info)
        return self.collector.accept(info, buffer)


def read_info(environ: Mapping[str, Any], path: str) -> RequestInfo:
    """Take a snapshot of a request from its WSGI environment, or what Django makes of ASGI's."""
    headers = {
        _NAMES.get(key) or _header_name(key): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    if length := environ.get("CONTENT_LENGTH"):
        headers["content-length"] = length
    if content_type := environ.get("CONTENT_TYPE"):
        headers["content-type"] = content_type
    return RequestInfo(
        method=environ["REQUEST_METHOD"],
        path=path,
        headers=MappingProxyType(headers),
        client=environ.get("REMOTE_ADDR") or None,
    )


def _header_name(key: str) -> str:
    """The header that a key of a WSGI environment is of."""
    return key[5:].replace("_", "-").lower()


_NAMES = {
    key: _header_name(key)
    for key in (
        *("HTTP_HOST", "HTTP_CONNECTION", "HTTP_USER_AGENT", "HTTP_ACCEPT", "HTTP_ORIGIN"),
        *("HTTP_REFERER", "HTTP_COOKIE", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE"),
        *("HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_MODE", "HTTP_SEC_FETCH_DEST"),
        *("HTTP_SEC_CH_UA", "HTTP_SEC_CH_UA_MOBILE", "HTTP_SEC_CH_UA_PLATFORM"),
        *("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP"),
    )
}
"""What browsers and proxies send, once for all."""


def body_reader(environ: Mapping[str, Any]) -> Read:
    """The reader of a WSGI request's body, past every limit that a framework puts before it."""
    read: Read = environ["wsgi.input"].read
    if environ.get("wsgi.input_terminated") or _declared(environ.get("CONTENT_LENGTH")) is not None:
        return read
    # Neither a length nor a server that ends the stream: reading could wait forever.
    return lambda _size: b""


def _declared(length: str | None) -> int | None:
    return int(length) if length and length.isdecimal() and len(length) < 19 else None


def _read_into(buffer: BodyBuffer, info: RequestInfo, read: Read) -> bool:
    """Read the whole body; False if it ended before its declared length."""
    declared = _declared(info.headers.get("content-length"))
    while declared is None or buffer.size < declared:
        chunk = _read_piece(read, CHUNK_SIZE if declared is None else declared - buffer.size)
        if chunk is None:
            return False
        if not chunk:
            return declared is None
        buffer.add(chunk)
    return True


def _read_piece(read: Read, wanted: int) -> bytes | None:
    """Read at most a chunk; None if the client went away or sent what is no body."""
    try:
        return read(min(CHUNK_SIZE, wanted))
    except Exception:  # noqa: BLE001  # servers raise what they like
        return None


def _linger(info: RequestInfo, read: Read) -> None:
    """Read and drop the rest of a body, so that its sender gets to read the answer."""
    declared = _declared(info.headers.get("content-length"))
    left = LINGER_SIZE if declared is None else min(LINGER_SIZE, declared)
    deadline = time.monotonic() + LINGER_SECONDS
    while left > 0 and time.monotonic() < deadline:
        chunk = _read_piece(read, left)
        if not chunk:
            return
        left -= len(chunk)
