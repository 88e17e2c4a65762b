"""Requests as WSGI has them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from unisights.request import RequestInfo

Read = Callable[[int], bytes | None]
"""Reads at most so many bytes of a body: nothing at its end, None if the client went away."""


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
    has_end = environ.get("wsgi.input_terminated") or environ.get("CONTENT_LENGTH", "").isdecimal()
    if not has_end:
        # Neither a length nor a server that ends the stream: reading could wait forever.
        return lambda _size: b""
    return safe_reader(environ["wsgi.input"].read)


def safe_reader(read: Callable[[int], bytes]) -> Read:
    """A reader that returns None where the other one raises: the client went away."""

    def read_safely(size: int) -> bytes | None:
        try:
            return read(size)
        except Exception:  # noqa: BLE001  # servers raise what they like
            return None

    return read_safely
