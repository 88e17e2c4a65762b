"""How a request's body is received: the rules, for every host, without input and output."""

import time

from unisights._http.body import CHUNK_SIZE, BodyBuffer, BodyTooLargeError
from unisights.collector import Collector
from unisights.request import RequestInfo

DRAIN_SIZE = 512 * 1024 * 1024
DRAIN_SECONDS = 10.0
"""How much of a refused body is read and dropped, in bytes, and for how long."""


class BodyReceiver:
    """Receives the body of one request, or refuses the request.

    The host reads at most `wanted` bytes and feeds them, until nothing is wanted. Then there is
    either a `response`, or the `buffer` holds the whole body. The rest of a refused body is read
    and dropped, so that its sender gets to read the response.

    Args:
        collector: what decides about the request.
        info: the request.
        length: how many bytes the body has, for hosts that do not tell where it ends.

    Attributes:
        wanted: how many bytes to read next, at most; 0 at the end.
        buffer: the body so far; None if the request was refused before its body.
        response: the response to a request that is refused.
        is_draining: whether what is read is dropped.
    """

    __slots__ = (
        *("_collector", "_deadline", "_info", "_left", "_length"),
        *("buffer", "is_draining", "response", "wanted"),
    )

    def __init__(self, collector: Collector, info: RequestInfo, length: int | None = None) -> None:
        self._collector = collector
        self._info = info
        self._length = length
        self.is_draining = False
        self.buffer: BodyBuffer | None = None
        self.response = collector.screen(info)
        if self.response is None:
            self.buffer = collector.buffer(info)
            self.wanted = self._next_piece(length)
        elif "expect" in info.headers:
            # This sender asks before it sends its body: the response comes first.
            self.wanted = 0
        else:
            self._drain(length)

    def feed(self, chunk: bytes | None) -> None:
        """Take what was read: nothing at the end of the body, None if the client went away."""
        if self.is_draining:
            self._drop(chunk)
        elif chunk:
            self._add(chunk)
        elif chunk is None or self._length is not None:
            self.wanted = 0
            self.response = self._collector.cut_body(self._info)
        else:
            self.wanted = 0

    def _add(self, chunk: bytes) -> None:
        assert self.buffer is not None  # noqa: S101  # narrows a type
        try:
            self.buffer.add(chunk)
        except BodyTooLargeError:
            self.response = self._collector.too_large(self._info)
            self._drain(None)
        else:
            left = None if self._length is None else self._length - self.buffer.size
            self.wanted = self._next_piece(left)

    def _drain(self, left: int | None) -> None:
        self.is_draining = True
        self._left = DRAIN_SIZE if left is None else min(DRAIN_SIZE, left)
        self._deadline = time.monotonic() + DRAIN_SECONDS
        self.wanted = self._next_piece(self._left)

    def _drop(self, chunk: bytes | None) -> None:
        self._left -= len(chunk or b"")
        is_over = not chunk or time.monotonic() > self._deadline
        self.wanted = 0 if is_over else self._next_piece(self._left)

    @staticmethod
    def _next_piece(left: int | None) -> int:
        return CHUNK_SIZE if left is None else max(0, min(CHUNK_SIZE, left))
