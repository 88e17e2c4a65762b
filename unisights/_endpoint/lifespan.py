"""The ASGI lifespan protocol for an endpoint, alone or around another app."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from unisights._http.asgi import ASGIApp, Message, Receive, Scope, Send
from unisights.errors import UnisightsError

OpenEndpoint = Callable[[], AbstractAsyncContextManager[None]]
"""Returns the context in which the endpoint is open."""


async def serve_lifespan(
    open_endpoint: OpenEndpoint, app: ASGIApp | None, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve the lifespan of a server's process.

    The endpoint's handler may use resources of the wrapped app, so the endpoint opens after the
    wrapped app has started, and closes before it ends.

    Args:
        open_endpoint: opens the endpoint.
        app: the wrapped app, if there is one; it need not know the protocol.
        scope: the scope of the lifespan.
        receive: the server's `receive`.
        send: the server's `send`.
    """
    async with AsyncExitStack() as stack:
        lifespan = _Lifespan(open_endpoint, stack, receive, send)
        if app is not None:
            try:
                await app(scope, lifespan.receive, lifespan.send)
            except Exception:
                if lifespan.has_answered:
                    raise
        if not lifespan.has_answered:
            # There is no wrapped app, or it does not know the protocol.
            await lifespan.serve()


class _Lifespan:
    """Stands between the server and the wrapped app, and opens and closes the endpoint.

    Attributes:
        has_answered: whether the server has been told that the startup is complete or has failed.
    """

    def __init__(
        self, open_endpoint: OpenEndpoint, stack: AsyncExitStack, receive: Receive, send: Send
    ) -> None:
        self._open_endpoint = open_endpoint
        self._stack = stack
        self._receive = receive
        self._send = send
        self._has_received = False
        self.has_answered = False

    async def receive(self) -> Message:
        """Receive the server's next message; close the endpoint before the process ends."""
        message = await self._receive()
        self._has_received = True
        if message["type"] == "lifespan.shutdown":
            await self._stack.aclose()
        return message

    async def send(self, message: Message) -> None:
        """Send a message to the server; open the endpoint once the wrapped app has started."""
        self.has_answered = True
        if message["type"] == "lifespan.startup.complete":
            try:
                await self._stack.enter_async_context(self._open_endpoint())
            except UnisightsError as error:
                message = {"type": "lifespan.startup.failed", "message": str(error)}
        await self._send(message)

    async def serve(self) -> None:
        """Serve the whole lifespan without a wrapped app."""
        if not self._has_received:
            await self.receive()
        await self.send({"type": "lifespan.startup.complete"})
        while (await self.receive())["type"] != "lifespan.shutdown":
            pass
        await self._send({"type": "lifespan.shutdown.complete"})
