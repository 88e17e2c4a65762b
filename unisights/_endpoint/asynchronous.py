"""An endpoint whose requests are served on an event loop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from unisights._endpoint.base import Endpoint, MakeRequest
from unisights._endpoint.receiving import DRAIN_SECONDS, BodyReceiver
from unisights._http.responses import HTTPResponse
from unisights._runtime.log import log
from unisights.config import DeliveryMode, UnisightsOptions
from unisights.request import RequestInfo

Read = Callable[[int], Awaitable[bytes | None]]
"""Reads some bytes of a body, so many if it can choose: nothing at its end, None if the client
went away."""


class AsyncEndpoint(Endpoint):
    """Serves requests on an event loop, and has the app's lifespan if the host tells of it."""

    def __init__(self, options: UnisightsOptions, default: DeliveryMode) -> None:
        super().__init__(options, default)
        # Until a server says by the lifespan protocol that it will tell of its end.
        self.delivery.defers_signals = True

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncIterator[None]:
        """Open for as long as the app lives; drain at its end."""
        self.delivery.defers_signals = False
        self.delivery.open()
        try:
            await self.delivery.open_handler()
        except Exception as error:  # noqa: BLE001
            # The app has other things to do than analytics; the first payload tries again.
            log(logging.ERROR, "handler_open_failed", "the handler cannot be opened", error=error)
        try:
            yield
        finally:
            await asyncio.to_thread(self.delivery.close)
            await self.delivery.close_handler()

    async def serve(
        self,
        info: RequestInfo,
        read: Read,
        make_request: MakeRequest,
        *,
        length: int | None = None,
    ) -> HTTPResponse:
        """Serve a request.

        Args:
            info: the request.
            read: reads its body.
            make_request: makes the framework's request, given the body that was read.
            length: how many bytes the body has, for hosts that do not tell where it ends.
        """
        receiver = BodyReceiver(self.collector, info, length)
        while receiver.wanted and not receiver.is_draining:
            receiver.feed(await read(receiver.wanted))
        if receiver.response is not None:
            await _drain(receiver, read)
            return receiver.response
        buffer = receiver.buffer
        assert buffer is not None  # noqa: S101  # narrows a type
        if buffer.is_costly:
            decision = await asyncio.to_thread(self.collector.accept, info, buffer)
        else:
            decision = self.collector.accept(info, buffer)
        if decision.rejection is not None:
            await self.delivery.keep_rejection(decision.rejection)
        payload = decision.payload
        if payload is None:
            assert decision.response is not None  # noqa: S101  # it has the one or the other
            return decision.response
        outcome = await self.delivery.deliver(info, payload, lambda: make_request(payload.raw))
        return self.respond(info, payload, outcome)


async def _drain(receiver: BodyReceiver, read: Read) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while receiver.wanted:
                receiver.feed(await read(receiver.wanted))
