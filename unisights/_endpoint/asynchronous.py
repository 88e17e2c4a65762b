"""An endpoint for servers that serve requests on an event loop.

`serve` repeats the steps of `synchronous` (see `unisights._endpoint`).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from unisights._endpoint.base import Endpoint, MakeRequest
from unisights._endpoint.discarding import discard_rest_async
from unisights._http.body import AsyncBody
from unisights._http.responses import HTTPResponse
from unisights._runtime.callers import Callers
from unisights._runtime.log import log
from unisights.collector import Refused
from unisights.config import UnisightsOptions
from unisights.delivery import Background, Inline
from unisights.request import RequestInfo


class AsyncEndpoint(Endpoint):
    """Serves requests on the event loop that calls it, and takes part in the app's lifespan."""

    def __init__(
        self,
        options: UnisightsOptions,
        default: Inline | Background,
        callers: Callers = Callers(),  # noqa: B008  # it is frozen
    ) -> None:
        super().__init__(options, default, callers)
        # Unless a lifespan begins, nobody but a signal says that the process ends.
        self.delivery.defers_signals = True

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncIterator[None]:
        """Open the delivery while the app runs, and drain it when the app ends."""
        self.delivery.defers_signals = False
        self.delivery.open()
        try:
            await self.delivery.open_handler()
        except Exception as error:  # noqa: BLE001  # a handler may raise any exception
            # The app has more to do than analytics, so it starts. The first payload tries again.
            log(logging.ERROR, "handler_open_failed", "the handler cannot be opened", error=error)
        try:
            yield
        finally:
            await self.delivery.close_with_app()

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
            response = collector.add_piece(info, buffer, await body.read())
            if response is not None:
                await discard_rest_async(body)
                return response
        if buffer.is_costly:
            decision = await asyncio.to_thread(collector.decide, info, buffer)
        else:
            decision = collector.decide(info, buffer)
        if decision.rejection is not None:
            await self.delivery.keep_rejection(decision.rejection)
        if isinstance(decision, Refused):
            return decision.response
        payload = decision.payload
        outcome = await self.delivery.deliver(info, payload, lambda: make_request(payload.raw))
        return self.respond(info, payload, outcome)
