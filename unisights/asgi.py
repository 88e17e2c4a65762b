"""ASGI: an app of its own, to be mounted in another, or middleware around another."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from unisights._delivery.base import make_delivery
from unisights._http.body import LINGER_SECONDS, LINGER_SIZE, BodyTooLargeError
from unisights._http.cors import REMEMBERED, Headers
from unisights._http.responses import HTTPResponse
from unisights._runtime.log import log
from unisights.collector import Collector
from unisights.config import UnisightsOptions
from unisights.errors import UnisightsError
from unisights.request import RequestInfo, merge_headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
MakeRequest = Callable[[Scope, RequestInfo, bytes], Any]

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
            await send(_to_start(_NOT_FOUND))
            await send({"type": "http.response.body", "body": _NOT_FOUND.body})

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


class ASGIEndpoint:
    """Serves the endpoint's requests, on whatever path they come."""

    def __init__(self, options: UnisightsOptions, make_request: MakeRequest) -> None:
        self.collector = Collector(options)
        self._delivery = make_delivery(self.collector, "inline")
        self._make_request = make_request
        # Until a server says by the lifespan protocol that it will tell of its end.
        self._delivery.holds_signals = True

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncIterator[None]:
        """Open for as long as the app lives; drain at its end."""
        self._delivery.holds_signals = False
        self._delivery.open()
        try:
            await self._delivery.open_handler()
        except Exception as error:  # noqa: BLE001
            # The app has other things to do than analytics; the first payload tries again.
            log(logging.ERROR, "handler_open_failed", "the handler cannot be opened", error=error)
        try:
            yield
        finally:
            await asyncio.to_thread(self._delivery.close)
            await self._delivery.close_handler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        info = _read_info(scope)
        try:
            response = await self._answer(scope, info, receive)
        except ClientDisconnectedError:
            # Half a body is not an event. Nobody reads the answer, but middleware wants one.
            response = self.collector.cut_body(info)
        await send(_to_start(response))
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, scope: Scope, info: RequestInfo, receive: Receive) -> HTTPResponse:
        collector = self.collector
        if (refusal := collector.screen(info)) is not None:
            # A sender that asked before sending its body is answered before it does.
            if "expect" not in info.headers:
                # Decided, and counted: a client that has gone away by now changes nothing.
                with contextlib.suppress(ClientDisconnectedError):
                    await _linger(receive)
            return refusal
        buffer = collector.buffer(info)
        is_more = True
        try:
            while is_more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnectedError
                is_more = message.get("more_body", False)
                buffer.add(message.get("body", b""))
        except BodyTooLargeError:
            if is_more:
                await _linger(receive)
            return collector.too_large(info)
        if buffer.is_costly:
            outcome = await asyncio.to_thread(collector.accept, info, buffer)
        else:
            outcome = collector.accept(info, buffer)
        return await self._delivery.settle(
            info, outcome, lambda body: self._make_request(scope, info, body)
        )


def _info_as_request(_scope: Scope, info: RequestInfo, _body: bytes) -> RequestInfo:
    """ASGI has no request object of its own."""
    return info


class ClientDisconnectedError(Exception):
    """The client went away before its body had arrived."""


def _read_info(scope: Scope) -> RequestInfo:
    pairs = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in scope["headers"]
    ]
    headers = dict(pairs)
    if len(headers) < len(pairs):
        headers = merge_headers(pairs)
    client = scope.get("client")
    return RequestInfo(
        method=scope["method"],
        path=scope["path"],
        headers=MappingProxyType(headers),
        client=client[0] if client else None,
    )


async def _linger(receive: Receive) -> None:
    """Read and drop the rest of a body, so that its sender gets to read the answer."""
    size, is_more = 0, True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while is_more and size < LINGER_SIZE:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnectedError
                is_more = message.get("more_body", False)
                size += len(message.get("body", b""))


def _to_start(response: HTTPResponse) -> Message:
    # A list of its own: middleware may add to it.
    headers = [*_encoded(response.headers)]
    if response.status != 204:
        headers.append((b"content-length", b"%d" % len(response.body)))
    return {"type": "http.response.start", "status": response.status, "headers": headers}


@lru_cache(maxsize=REMEMBERED)
def _encoded(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """Headers as ASGI has them; those of one site's answers are the same again and again."""
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers)
