"""Requests as WSGI presents them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from unisights._http.headers import COMMON_HEADERS
from unisights.request import RequestInfo

Read = Callable[[int], bytes | None]
"""Reads at most the given number of bytes of a request's body. Returns `b""` at its end, and None
if the client has disconnected or has sent something that is no body. Never raises."""


def read_info(environ: Mapping[str, Any], path: str) -> RequestInfo:
    """Make the snapshot of a request.

    Args:
        environ: the request's WSGI environment, or `META`, which Django makes of an ASGI scope.
        path: the request's whole path, without the query.
    """
    headers = {
        _HEADER_NAMES.get(key) or _header_name(key): value
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
    """Return the name of the header that a key of a WSGI environment stands for."""
    return key[5:].replace("_", "-").lower()


_HEADER_NAMES = {f"HTTP_{name.upper().replace('-', '_')}": name for name in COMMON_HEADERS}


def body_reader(environ: Mapping[str, Any]) -> Read:
    """Return a reader of a WSGI request's body that bypasses the framework's own size limits."""
    has_end = environ.get("wsgi.input_terminated") or environ.get("CONTENT_LENGTH", "").isdecimal()
    if not has_end:
        # No length is declared and the server does not end the stream: a read might never return.
        return lambda _size: b""
    return safe_reader(environ["wsgi.input"].read)


def safe_reader(read: Callable[[int], bytes]) -> Read:
    """Return a reader that returns None where the given one raises."""

    def read_safely(size: int) -> bytes | None:
        try:
            return read(size)
        except Exception:  # noqa: BLE001  # each server raises its own exceptions
            return None

    return read_safely
