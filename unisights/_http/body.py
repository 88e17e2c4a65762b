"""A request's body: its declared length, its content encoding, and its greatest size."""

import asyncio
import zlib
from collections.abc import Callable
from typing import Protocol

from unisights.errors import InvalidJSONError
from unisights.request import RequestInfo

ENCODINGS = frozenset({"identity", "gzip", "x-gzip", "deflate"})
"""The supported content encodings."""

OFFLOAD_SIZE = 64 * 1024
"""In bytes. Larger bodies are decoded in a thread, off the event loop. Browsers send beacons of at
most 64 KiB."""

CHUNK_SIZE = 64 * 1024
"""The greatest number of bytes of a body that are read at once."""

_MAX_MEMBERS = 16
"""The greatest number of members of a gzip body. Each costs a pass over the rest of the body."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_RAW_WINDOW = -zlib.MAX_WBITS


class Body(Protocol):
    """A request's body as a server presents it. Its `read` is sync or async, as the server is.

    Attributes:
        has_ended: whether there is nothing left to read.
    """

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to read."""


class SyncBody(Body, Protocol):
    """A body that is read in a thread."""

    def read(self) -> bytes | None:
        """Read the next piece; None if the client has disconnected or the body cannot be read."""


class AsyncBody(Body, Protocol):
    """A body that is read on an event loop."""

    async def read(self) -> bytes | None:
        """Read the next piece; None if the client has disconnected or the body cannot be read."""


class StreamBody:
    """A body that is read from a stream.

    Args:
        read: reads at most the given number of bytes. It may raise; it returns `b""` at the end.
        length: the length of the body, in bytes; None if the stream has an end of its own.

    Attributes:
        has_ended: whether there is nothing left to read.
    """

    def __init__(self, read: Callable[[int], bytes], length: int | None = None) -> None:
        self._read = read
        self._left = length
        self.has_ended = length == 0

    def read(self) -> bytes | None:
        """Read the next piece; None if the client has disconnected or the body cannot be read."""
        size = CHUNK_SIZE if self._left is None else min(CHUNK_SIZE, self._left)
        try:
            piece = self._read(size)
        except Exception:  # noqa: BLE001  # each server raises its own exceptions
            self.has_ended = True
            return None
        if self._left is None:
            self.has_ended = not piece
            return piece
        self._left -= len(piece)
        self.has_ended = self._left <= 0 or not piece
        return piece or None


class AsyncStreamBody:
    """A stream that is read on an event loop; its reads do not block, or may block this loop.

    Args:
        body: the body as it is read from the stream.

    Attributes:
        has_ended: whether there is nothing left to read.
    """

    def __init__(self, body: StreamBody) -> None:
        self._body = body

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to read."""
        return self._body.has_ended

    async def read(self) -> bytes | None:
        """Read the next piece; None if the client has disconnected or the body cannot be read."""
        piece = self._body.read()
        if piece is not None and len(piece) == CHUNK_SIZE:
            # Many such pieces may follow, and others use the event loop, too.
            await asyncio.sleep(0)
        return piece


class BodyTooLargeError(Exception):
    """The body is larger than the limit, as sent or once inflated."""


def content_encoding(info: RequestInfo) -> str:
    """Return the content encoding that a request declares, in lower case."""
    if "content-encoding" not in info.headers:
        return "identity"
    return info.headers["content-encoding"].strip().lower() or "identity"


def declared_length(info: RequestInfo) -> int | None:
    """Return the length of the body that a request declares, in bytes; None if there is none."""
    length = info.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 19 else None


class BodyBuffer:
    """Collects the pieces of one request's body, and inflates a compressed body at the end.

    Args:
        limit: the greatest size of the body, as sent and once inflated, in bytes.
        encoding: the body's content encoding, one of `ENCODINGS`.

    Attributes:
        size: the number of bytes collected so far, as sent.
        weight: the size of the body once it is inflated, in bytes; the limit until it was inflated.
        is_costly: whether to decode the body in a thread: it is large, or may be once it is
            inflated.
    """

    __slots__ = ("_encoding", "_first", "_limit", "_rest", "is_costly", "size", "weight")

    def __init__(self, limit: int, encoding: str) -> None:
        self._limit = limit
        self._encoding = encoding
        self._first = b""
        self._rest: bytearray | None = None
        self.size = 0
        self.weight = 0 if encoding == "identity" else limit
        self.is_costly = encoding != "identity"

    @property
    def sent(self) -> bytes:
        """The bytes collected so far, as sent."""
        return self._first if self._rest is None else self._first + self._rest

    def add(self, piece: bytes) -> None:
        """Add the next piece of the body, as sent.

        Raises:
            BodyTooLargeError: the body is larger than the limit; the buffer is empty now.
        """
        self.size += len(piece)
        if self._encoding == "identity":
            self.weight = self.size
        if self.size > self._limit:
            self._first, self._rest, self.size = b"", None, 0
            raise BodyTooLargeError
        if self.size > OFFLOAD_SIZE:
            self.is_costly = True
        if not self._first:
            self._first = piece  # Most bodies are one piece, which needs no copy.
        elif self._rest is None:
            self._rest = bytearray(piece)
        else:
            self._rest += piece

    def finish(self) -> bytes:
        """Return the whole body, inflated.

        Raises:
            BodyTooLargeError: the inflated body is larger than the limit.
            InvalidJSONError: the body is not in the content encoding that its request declares.
        """
        body = self.sent
        if self._encoding == "identity":
            return body
        try:
            inflated = self._inflate(body)
        except zlib.error:
            raise InvalidJSONError(f"the body is not valid {self._encoding}") from None
        self.weight = len(inflated)
        return inflated

    def _inflate(self, body: bytes) -> bytes:
        inflated: list[bytes] = []
        left = self._limit
        for _ in range(_MAX_MEMBERS):
            inflater = zlib.decompressobj(self._window(body))
            # One byte over the limit is enough to see that the body is too large.
            piece = inflater.decompress(body, left + 1)
            left -= len(piece)
            if left < 0:
                raise BodyTooLargeError
            inflated.append(piece)
            if not inflater.eof:
                raise InvalidJSONError(f"the {self._encoding} data of the body is incomplete")
            if not inflater.unused_data:
                return b"".join(inflated)
            if self._encoding == "deflate":
                raise InvalidJSONError("the body goes on after its deflate data")
            # A gzip body may consist of several members, one after the other.
            body = inflater.unused_data
        raise InvalidJSONError(f"the body has more than {_MAX_MEMBERS} gzip members")

    def _window(self, body: bytes) -> int:
        if self._encoding != "deflate":
            return _GZIP_WINDOW
        # Some senders of "deflate" omit the zlib header that the standard requires.
        has_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] * 256 + body[1]) % 31 == 0
        return zlib.MAX_WBITS if has_header else _RAW_WINDOW
