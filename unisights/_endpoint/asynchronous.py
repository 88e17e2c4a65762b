"""An endpoint for servers that serve requests on an event loop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from unisights._delivery.outcome import HANDLERS_BUSY
from unisights._endpoint.base import Endpoint, MakeRequest
from unisights._endpoint.completion import Completion
from unisights._endpoint.discarding import discard_rest_async
from unisights._http.body import AsyncBody
from unisights._http.responses import HTTPResponse
from unisights._runtime.callers import Callers
from unisights._runtime.log import log
from unisights.config import UnisightsOptions
from unisights.delivery import Background, Inline
from unisights.errors import ConfigurationError
from unisights.readiness import NotReadyReason
from unisights.request import RequestInfo


class AsyncEndpoint(Endpoint):
    """Serves requests on the event loop that calls it, and takes part in the app's lifespan."""

    def __init__(
        self,
        options: UnisightsOptions,
        default: Inline | Background,
        callers: Callers = Callers(),  # noqa: B008  # it is frozen
        *,
        request_type: type = RequestInfo,
    ) -> None:
        super().__init__(options, default, callers, request_type=request_type)
        # Unless a lifespan begins, nobody but a signal says that the process ends.
        self.delivery.defers_signals = True
        self._completion = Completion()

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncIterator[None]:
        """Open the delivery while the app runs, and drain it when the app ends.

        Raises:
            ConfigurationError: the server's event loop is not asyncio's, or an option of durable
                delivery does not work.
            StoreError: the spool cannot be opened.
        """
        _require_asyncio()
        self.delivery.defers_signals = self._completion.defers_signals = False
        self.delivery.open()
        try:
            await self.delivery.open_handler()
        except Exception as error:  # noqa: BLE001  # a handler may raise any exception
            # The app has more to do than analytics, so it starts. The first payload tries again.
            log(logging.ERROR, "handler_open_failed", "the handler cannot be opened", error=error)
        try:
            yield
        finally:
            await self.delivery.close_with_app(self._completion.wait)

    def _leave_end(self) -> None:
        self._completion.leave()

    def _read_reasons(self) -> tuple[NotReadyReason, ...]:
        reasons = super()._read_reasons()
        return (*reasons, "queue_full") if self._completion.is_full else reasons

    async def serve(
        self,
        info: RequestInfo,
        body: AsyncBody,
        make_request: MakeRequest,
        *,
        client_waits: bool = False,
    ) -> HTTPResponse:
        """Serve a request.

        Args:
            info: the request.
            body: its body.
            make_request: makes the framework's request of the body that was read.
            client_waits: whether the client sends no body before the server begins to read it.
        """
        collector = self.collector
        response = collector.screen(info)
        if response is not None:
            if not client_waits:
                await discard_rest_async(body)
            return response
        buffer = collector.buffer(info)
        while not body.has_ended:
            try:
                piece = await body.read()
            except asyncio.CancelledError:
                collector.add_piece(info, buffer, None)
                raise
            response = collector.add_piece(info, buffer, piece)
            if response is not None:
                await discard_rest_async(body)
                return response
        if self._completion.is_full:
            return self.refuse(info, HANDLERS_BUSY)
        delivery = self.delivery
        responding = self.respond(info, buffer, make_request, delivery.on_loop)
        if delivery.may_wait or buffer.is_costly:
            responding = self._completion.run(responding, buffer)
        return await responding


def _require_asyncio() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "unisights needs an event loop of asyncio, such as uvloop; the server runs another "
            "one, such as hypercorn's worker class trio"
        ) from None
