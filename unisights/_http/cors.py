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


REMEMBERED = 64
"""So many origins are remembered: more than most sites have, and no room for an attacker."""

_MAX_LENGTH = 300
"""Longer ones are not: a host's name has 253 characters at most."""


class Cors:
    """Answers, for one list of origins, whom to let in and with which headers."""

    def __init__(self, allow_origins: Collection[str]) -> None:
        self._any = "*" in allow_origins
        self._listed = frozenset(allow_origins)
        self._remembered: dict[str | None, Headers] = {}

    def granted(self, info: RequestInfo) -> Headers | None:
        """The headers of the answers to a request that may come in; None for one that may not.

        A request without an Origin may.
        """
        origin = info.headers.get("origin")
        try:
            return self._remembered[origin]
        except KeyError:
            granted = self._grant(origin)
            if granted is not None and len(origin or "") <= _MAX_LENGTH:
                if len(self._remembered) >= REMEMBERED:
                    self._remembered.clear()
                self._remembered[origin] = granted
            return granted

    def headers(self, info: RequestInfo) -> Headers:
        """The headers of any answer to the request."""
        granted = self.granted(info)
        return _VARY if granted is None else granted

    def preflight_headers(self, info: RequestInfo) -> Headers:
        """The headers of the answer to a preflight whose origin is allowed."""
        return (*self.headers(info), *_PREFLIGHT)

    def _grant(self, origin: str | None) -> Headers | None:
        if origin is None:
            return _VARY
        if not self._is_allowed(origin):
            return None
        return (
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            *_VARY,
        )

    def _is_allowed(self, origin: str) -> bool:
        if self._any:
            # An origin is one token; what is not is nothing to echo.
            return origin.isascii() and origin.isprintable() and " " not in origin
        return origin in self._listed
