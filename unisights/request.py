"""The snapshot of a request, in the same form for every framework."""

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
        path: the request's whole path, without the query.
        headers: the request's headers by their names in lower case. The values of a header that
            was sent several times are joined by `", "`.
        client: the IP address of the peer as the server reports it, or None if it is unknown.
            Behind a proxy it is the proxy's, unless the server is told to trust its headers.
        received_at: when the request arrived, in milliseconds since the Unix epoch, by the clock
            of this machine.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    client: str | None = None
    received_at: int = msgspec.field(default_factory=_now)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it except `received_at`, ready for `json.dumps`."""
        return {
            "method": self.method,
            "path": self.path,
            "headers": dict(self.headers),
            "client": self.client,
        }


def merge_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return one value for each name; the values of a repeated name are joined by `", "`."""
    merged: dict[str, str] = {}
    for name, value in pairs:
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    return merged
