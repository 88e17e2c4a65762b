"""ASGI: an app of its own, to be mounted in another, or middleware around another."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from unisights._endpoint.asgi import ASGIEndpoint
from unisights._http.asgi import ASGIApp, Message, Receive, Scope, Send, send_response
from unisights._http.responses import HTTPResponse
from unisights.config import UnisightsOptions
from unisights.errors import UnisightsError
from unisights.request import RequestInfo

_NOT_FOUND = HTTPResponse(404, (("content-type", "text/plain"),), b"Not Found")


def unisights_asgi(
    options: UnisightsOptions | None = None, app: ASGIApp | None = None
) -> "UnisightsASGI":
    """Make an ASGI app of the endpoint.

    Args:
        options: how events are received.
        app: the app to leave all other paths to; without one they are answered 404.
    """
    return UnisightsASGI(app, options)


class UnisightsASGI:
    """The endpoint as an ASGI app; with another app inside, as middleware around it.

    Mounted in another app, it answers on its options' path below the place where it is mounted.
    It also has the shape that `add_middleware` of Starlette and FastAPI wants:
    `app.add_middleware(UnisightsASGI, options=options)`.

    The handler's second argument is the `RequestInfo`.

    Attributes:
        collector: the endpoint's core; its `stats()` tell what it has counted.
    """

    def __init__(self, app: ASGIApp | None = None, options: UnisightsOptions | None = None) -> None:
        options = options or UnisightsOptions()
        self._app = app
        self._path = options.path.strip("/")
        self._usual_paths = frozenset({options.path, f"/{self._path}", f"/{self._path}/"})
        self._endpoint = ASGIEndpoint(options, _info_as_request)
        self.collector = self._endpoint.collector

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the server's lifespan."""
        if scope["type"] == "http" and self._is_ours(scope):
            await self._endpoint(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._serve_lifespan(scope, receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            await send_response(send, _NOT_FOUND)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncIterator[None]:
        """Deliver what is waiting in the background before the app around this one ends.

        And begin with what the spool of durable delivery holds. Frameworks do not tell a mounted
        app that they start or end: run this in the lifespan of the outermost app. Inline delivery
        to a handler without `open` and `close` does not need it.
        """
        async with self._endpoint.lifespan():
            yield

    def _is_ours(self, scope: Scope) -> bool:
        """Whether the path is the endpoint's: as a whole, or below where the app is mounted.

        Outer slashes make no difference: a redirect would lose the beacon.
        """
        path: str = scope["path"]
        if path in self._usual_paths:
            return True
        path = path.strip("/")
        mount: str = scope.get("root_path", "").strip("/")
        return path in {self._path, f"{mount}/{self._path}".strip("/")}

    async def _serve_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        pending = [await receive()]
        is_answered = False

        async with contextlib.AsyncExitStack() as stack:

            async def send_and_open(message: Message) -> None:
                nonlocal is_answered
                is_answered = True
                if message["type"] == "lifespan.startup.complete":
                    # What handlers use may belong to the app inside: it starts first.
                    message = await self._open(stack, message)
                await send(message)

            async def receive_and_drain() -> Message:
                message = pending.pop() if pending else await receive()
                if message["type"] == "lifespan.shutdown":
                    # Likewise, it must not end first.
                    await stack.aclose()
                return message

            if self._app is not None:
                try:
                    await self._app(scope, receive_and_drain, send_and_open)
                except Exception:
                    if is_answered:
                        raise
            if not is_answered:
                # There is no app inside, or it has no lifespan.
                await send_and_open({"type": "lifespan.startup.complete"})
                pending.clear()
                while (await receive_and_drain())["type"] != "lifespan.shutdown":
                    pass
                await send({"type": "lifespan.shutdown.complete"})

    async def _open(self, stack: contextlib.AsyncExitStack, message: Message) -> Message:
        try:
            await stack.enter_async_context(self._endpoint.lifespan())
        except UnisightsError as error:
            return {"type": "lifespan.startup.failed", "message": str(error)}
        return message


def _info_as_request(_scope: Scope, info: RequestInfo, _body: bytes) -> RequestInfo:
    """ASGI has no request object of its own."""
    return info
