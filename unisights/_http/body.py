"""A request's body: collected and inflated, and never larger than the limit."""

import zlib

from unisights.errors import InvalidJSONError
from unisights.request import RequestInfo

ENCODINGS = frozenset({"identity", "gzip", "x-gzip", "deflate"})
"""The content encodings that are taken."""

OFFLOAD_SIZE = 64 * 1024
"""Bodies larger than what a beacon can hold are decoded away from the event loop, in bytes."""

CHUNK_SIZE = 64 * 1024
"""At most so many bytes are read at once."""

_MAX_MEMBERS = 16
"""A gzip body may be several members, but each costs a pass over the rest."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_RAW_WINDOW = -zlib.MAX_WBITS


class BodyTooLargeError(Exception):
    """The body is over the limit, as sent or once inflated."""


def content_encoding(info: RequestInfo) -> str:
    """The encoding that a request's body is in by its own words."""
    if "content-encoding" not in info.headers:
        return "identity"
    return info.headers["content-encoding"].strip().lower() or "identity"


def declared_length(info: RequestInfo) -> int | None:
    """The length that a request declares for its body, in bytes; None if it declares none."""
    length = info.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 19 else None


class BodyBuffer:
    """Collects one request's body; a compressed one is inflated at the end.

    Args:
        limit: the greatest body, in bytes: as sent, and once inflated.
        encoding: one of `ENCODINGS`.
    """

    __slots__ = ("_encoding", "_first", "_limit", "_rest", "size")

    def __init__(self, limit: int, encoding: str) -> None:
        self._limit = limit
        self._encoding = encoding
        self._first = b""
        self._rest: bytearray | None = None
        self.size = 0
        """How many bytes there are so far, as sent."""

    @property
    def sent(self) -> bytes:
        """What there is so far, as sent."""
        return self._first if self._rest is None else self._first + self._rest

    @property
    def is_costly(self) -> bool:
        """Whether decoding may take long: the body is large, or compressed and may be."""
        return self.size > OFFLOAD_SIZE or self._encoding != "identity"

    def add(self, chunk: bytes) -> None:
        """Take the next piece of the body as sent.

        Raises:
            BodyTooLargeError: the body is over the limit; nothing of it is kept.
        """
        self.size += len(chunk)
        if self.size > self._limit:
            self._first, self._rest, self.size = b"", None, 0
            raise BodyTooLargeError
        if not self._first:
            self._first = chunk  # Most bodies are one piece: it needs no copy.
        elif self._rest is None:
            self._rest = bytearray(chunk)
        else:
            self._rest += chunk

    def finish(self) -> bytes:
        """Return the whole body, inflated.

        Raises:
            BodyTooLargeError: it is over the limit once inflated.
            InvalidJSONError: it is not in the encoding that it claims.
        """
        body = self.sent
        if self._encoding == "identity":
            return body
        try:
            return self._inflate(body)
        except zlib.error:
            raise InvalidJSONError(f"the body is not valid {self._encoding}") from None

    def _inflate(self, body: bytes) -> bytes:
        inflated: list[bytes] = []
        left = self._limit
        for _ in range(_MAX_MEMBERS):
            inflater = zlib.decompressobj(self._window(body))
            # One byte more than is allowed shows that there is more.
            piece = inflater.decompress(body, left + 1)
            left -= len(piece)
            if left < 0:
                raise BodyTooLargeError
            inflated.append(piece)
            if not inflater.eof:
                raise InvalidJSONError(f"the body is cut: its {self._encoding} does not end")
            if not inflater.unused_data:
                return b"".join(inflated)
            if self._encoding == "deflate":
                break
            # gzip may be several members, one after the other.
            body = inflater.unused_data
        raise InvalidJSONError(f"the body goes on behind its {self._encoding}")

    def _window(self, body: bytes) -> int:
        if self._encoding != "deflate":
            return _GZIP_WINDOW
        # Some senders of "deflate" leave out the zlib header that the standard asks for.
        has_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] * 256 + body[1]) % 31 == 0
        return zlib.MAX_WBITS if has_header else _RAW_WINDOW
