"""Cross-origin rules: who may send, and the headers that let a beacon through.

Chromium lets a credentialed cross-origin beacon through only if the preflight's answer echoes
the origin, allows credentials, and names content-type among the allowed headers.
"""

from collections.abc import Collection

from unisights.request import RequestInfo

Headers = tuple[tuple[str, str], ...]

_VARY: Headers = (("vary", "Origin"),)

_PREFLIGHT: Headers = (
    ("access-control-allow-methods", "POST"),
    ("access-control-allow-headers", "content-type, content-encoding"),
    # Longer than most pages live: one preflight serves a page's beacons.
    ("access-control-max-age", "600"),
)


class Cors:
    """Answers, for one list of origins, whom to let in and with which headers."""

    def __init__(self, allow_origins: Collection[str]) -> None:
        self._any = "*" in allow_origins
        self._listed = frozenset(allow_origins)

    def allows(self, info: RequestInfo) -> bool:
        """Whether the request may come in; one without an Origin may."""
        origin = info.headers.get("origin")
        return origin is None or self._is_allowed(origin)

    def headers(self, info: RequestInfo) -> Headers:
        """The headers of any answer to the request."""
        origin = info.headers.get("origin")
        if origin is None or not self._is_allowed(origin):
            return _VARY
        return (
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            *_VARY,
        )

    def preflight_headers(self, info: RequestInfo) -> Headers:
        """The headers of the answer to a preflight whose origin is allowed."""
        return (*self.headers(info), *_PREFLIGHT)

    def _is_allowed(self, origin: str) -> bool:
        if self._any:
            # An origin is one token; what is not is nothing to echo.
            return origin.isascii() and origin.isprintable() and " " not in origin
        return origin in self._listed
