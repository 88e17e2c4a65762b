"""Requests as WSGI presents them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from unisights._http.body import StreamBody, declared_length
from unisights._http.headers import COMMON_HEADERS
from unisights.request import RequestInfo


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


def read_body(environ: Mapping[str, Any], info: RequestInfo) -> StreamBody:
    """Return a request's body, which bypasses the framework's own size limits."""
    length = declared_length(info)
    if length is None and not environ.get("wsgi.input_terminated"):
        # No length is declared and the server does not end the stream: a read might never return.
        return StreamBody(lambda _size: b"", 0)
    return StreamBody(environ["wsgi.input"].read, length)
