"""CORS: decides which origins may send beacons, and which CORS headers a response has.

Chromium lets a credentialed cross-origin beacon through only if the response to its preflight
repeats the origin, allows credentials, and names content-type among the allowed headers.
"""

from collections.abc import Collection

from unisights.request import RequestInfo

Headers = tuple[tuple[str, str], ...]
"""A response's headers: pairs of a name in lower case and a value."""

_VARY: Headers = (("vary", "Origin"),)

_PREFLIGHT: Headers = (
    ("access-control-allow-methods", "POST"),
    ("access-control-allow-headers", "content-type, content-encoding"),
    # Most pages live less than ten minutes, so one preflight serves all beacons of a page.
    ("access-control-max-age", "600"),
)

CACHED_ORIGINS = 64
"""The greatest number of cached origins. Most sites have fewer; an attacker cannot fill memory."""

_MAX_CACHED_LENGTH = 300
"""In characters. Longer origins are not cached; a host name has at most 253 characters."""


class Cors:
    """Decides about the origins of one endpoint.

    Args:
        allow_origins: the allowed origins as browsers write them; `"*"` allows every origin.
    """

    def __init__(self, allow_origins: Collection[str]) -> None:
        self._allows_any = "*" in allow_origins
        self._allowed = frozenset(allow_origins)
        self._cache: dict[str | None, Headers] = {}

    def is_allowed(self, info: RequestInfo) -> bool:
        """Whether the request's origin may send; a request without an Origin header may."""
        return info.headers.get("origin") in self._cache or self._decide(info) is not None

    def headers(self, info: RequestInfo) -> Headers:
        """Return the CORS headers of any response to the request.

        They name the origin if it is allowed. They always include Vary, for caches.
        """
        headers = self._cache.get(info.headers.get("origin")) or self._decide(info)
        return _VARY if headers is None else headers

    def preflight_headers(self, info: RequestInfo) -> Headers:
        """Return the CORS headers of the response to a preflight of an allowed origin."""
        return (*self.headers(info), *_PREFLIGHT)

    def _decide(self, info: RequestInfo) -> Headers | None:
        """Return the headers for the request's origin, or None if it is not allowed."""
        origin = info.headers.get("origin")
        headers = self._make_headers(origin)
        if headers is not None and len(origin or "") <= _MAX_CACHED_LENGTH:
            if len(self._cache) >= CACHED_ORIGINS:
                self._cache.clear()
            self._cache[origin] = headers
        return headers

    def _make_headers(self, origin: str | None) -> Headers | None:
        if origin is None:
            return _VARY
        if not self._is_origin_allowed(origin):
            return None
        return (
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            *_VARY,
        )

    def _is_origin_allowed(self, origin: str) -> bool:
        if self._allows_any:
            # The value is repeated in a response header, so it must be one printable token.
            return origin.isascii() and origin.isprintable() and " " not in origin
        return origin in self._allowed
