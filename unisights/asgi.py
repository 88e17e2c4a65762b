"""ASGI: the endpoint as an app, which can be mounted in another app or wrap another app."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from unisights._endpoint.asgi import ASGIEndpoint
from unisights._endpoint.lifespan import serve_lifespan
from unisights._http.asgi import ASGIApp, Receive, Scope, Send, to_messages
from unisights._http.paths import spellings
from unisights._http.responses import NOT_FOUND
from unisights.config import UnisightsOptions
from unisights.control import EndpointControl
from unisights.request import RequestInfo


def unisights_asgi(
    options: UnisightsOptions[RequestInfo] | None = None, app: ASGIApp | None = None
) -> "UnisightsASGI":
    """Make an ASGI app that serves the endpoint.

    Args:
        options: the endpoint's options; None for the defaults.
        app: the app that serves all other paths; None to answer them with 404.
    """
    return UnisightsASGI(app, options)


class UnisightsASGI:
    """The endpoint as an ASGI app, or as middleware if it wraps another app.

    Mounted in another app, it serves its options' `path` below the path of the mount. It can be
    given to `add_middleware` of Starlette and FastAPI:
    `app.add_middleware(UnisightsASGI, options=options)`.

    The handler's second argument is the `RequestInfo`.

    Args:
        app: the app that serves all other paths; None to answer them with 404.
        options: the endpoint's options; None for the defaults.

    Attributes:
        unisights: the endpoint's counters and readiness; drains and closes it.
    """

    def __init__(
        self, app: ASGIApp | None = None, options: UnisightsOptions[RequestInfo] | None = None
    ) -> None:
        options = options or UnisightsOptions()
        self._app = app
        self._path = options.path.strip("/")
        self._usual_paths = frozenset(spellings(options.path))
        self._endpoint = ASGIEndpoint(options, _info_as_request)
        self.unisights: EndpointControl = self._endpoint.control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the lifespan of a server's process."""
        if scope["type"] == "http" and self._is_endpoint(scope):
            await self._endpoint(scope, receive, send)
        elif scope["type"] == "lifespan":
            await serve_lifespan(self._endpoint.lifespan, self._app, scope, receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            for message in to_messages(NOT_FOUND):
                await send(message)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncIterator[None]:
        """Open the endpoint's delivery, and drain it at the end.

        To be run in the lifespan of the outermost app, as frameworks do not tell a mounted app
        when they start and end. Inline delivery to a handler without `open` and `close` does not
        need it.

        Raises:
            UnisightsError: the delivery cannot be opened, such as a spool that cannot be used.
        """
        async with self._endpoint.lifespan():
            yield

    def _is_endpoint(self, scope: Scope) -> bool:
        """Whether the path is the endpoint's: the whole path, or the one below the mount.

        Servers and mounts differ in the slashes around it, so all of these are ignored.
        """
        path: str = scope["path"]
        if path in self._usual_paths:
            return True
        path = path.strip("/")
        mount: str = scope.get("root_path", "").strip("/")
        return path in {self._path, f"{mount}/{self._path}".strip("/")}


def _info_as_request(_scope: Scope, info: RequestInfo, _body: bytes) -> RequestInfo:
    """Return the snapshot, as ASGI has no request object of its own."""
    return info
