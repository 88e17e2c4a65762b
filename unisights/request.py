"""What the collector knows of a request, whichever framework brought it."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


def _now() -> int:
    return time.time_ns() // 1_000_000


class RequestInfo(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An immutable snapshot of a request, without its body; it outlives the request.

    Attributes:
        method: the HTTP method, in upper case.
        path: the request's path, without the query.
        headers: the request's headers, their names in lower case; a header that came several
            times is joined by commas.
        client: the peer's address as the server knows it (behind a proxy, the proxy's, unless
            the server was told to trust its headers), or None.
        received_at: when the request came, in milliseconds since the Unix epoch, by this host's
            clock.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    client: str | None = None
    received_at: int = msgspec.field(default_factory=_now)

    def to_dict(self) -> dict[str, Any]:
        """Return what is known of it, but for its time, ready for `json.dumps`."""
        return {
            "method": self.method,
            "path": self.path,
            "headers": dict(self.headers),
            "client": self.client,
        }


def merge_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One value for each name: those of a header that came several times are joined by commas."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    return merged
