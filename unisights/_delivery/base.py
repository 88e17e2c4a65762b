"""What every delivery does, and what it is given of its endpoint."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unisights._delivery.handler import MakeRequest, ManagedHandler
from unisights._delivery.outcome import Outcome
from unisights._runtime.calls import call_async, call_sync
from unisights._runtime.log import ThrottledLog
from unisights.config import UnisightsOptions
from unisights.rejection import Rejection
from unisights.request import RequestInfo
from unisights.stats import Counters, Gauges
from unisights.types import UnisightsPayload

if TYPE_CHECKING:  # imported by those who quarantine
    from unisights._decoding.quarantine import Selection

Decode = Callable[[bytes, "Selection | None"], UnisightsPayload]
"""Decodes a body that was accepted before, as the endpoint's options say."""


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What a delivery is given of its endpoint.

    Attributes:
        options: the endpoint's options.
        counters: what the endpoint has counted.
        log: the endpoint's log.
        decode: decodes a body that was accepted before.
    """

    options: UnisightsOptions
    counters: Counters
    log: ThrottledLog
    decode: Decode


class Delivery(ABC):
    """Delivers the payloads of one endpoint, and keeps its rejections.

    Attributes:
        handler: the user's handler, which it opens and closes.
        holds_signals: whether nothing but a signal will say that the process is about to end.
    """

    holds_signals = False

    def __init__(self, context: DeliveryContext) -> None:
        self._context = context
        self._options = context.options
        self._count = context.counters.one
        self._log = context.log.log
        self.handler = ManagedHandler(context.options.handler)
        self._on_reject = context.options.on_reject

    @abstractmethod
    async def deliver(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> Outcome:
        """Deliver, on an event loop."""

    @abstractmethod
    def deliver_sync(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> Outcome:
        """Deliver, in a thread."""

    async def keep_rejection(self, rejection: Rejection) -> None:
        """Hand it to `on_reject`, where the handler runs: on the server's loop."""
        try:
            if self._on_reject is not None:
                await call_async(self._on_reject, rejection)
        except Exception as error:  # noqa: BLE001  # it is the user's, the response is the sender's
            self._log_on_reject(error)

    def keep_rejection_sync(self, rejection: Rejection) -> None:
        """Likewise, from a thread: an async one runs on the process's loop."""
        try:
            if self._on_reject is not None:
                call_sync(self._on_reject, rejection)
        except Exception as error:  # noqa: BLE001
            self._log_on_reject(error)

    def _log_on_reject(self, error: Exception) -> None:
        self._log(logging.ERROR, "on_reject_failed", "on_reject failed", error=error)

    def gauges(self) -> Gauges:
        """What is waiting now."""
        return Gauges(0, 0)

    def hold_signals(self) -> None:  # noqa: B027  # what delivers at once has nothing to drain
        """Drain before the server hears of SIGTERM; for the main thread."""

    def open(self) -> None:  # noqa: B027  # what delivers at once has nothing to open
        """Be ready to deliver, again if need be."""

    def close(self) -> None:  # noqa: B027  # nor to close
        """Deliver what is waiting, as far as time allows; take no more."""

    async def open_handler(self) -> None:
        """Open the handler before its first call, where a server says that it has started."""
        await self.handler.open_async()

    async def close_handler(self) -> None:
        """Close the handler after its last call, where a server says that it ends."""
        await self.handler.close_async()


def report_failure(context: DeliveryContext, payload: UnisightsPayload, error: Exception) -> None:
    """Hand a payload that was not handled to the user's `on_error`."""
    on_error = context.options.on_error
    if on_error is None:
        return
    try:
        call_sync(on_error, payload, error)
    except Exception as raised:  # noqa: BLE001  # it is the user's
        context.log.log(logging.ERROR, "on_error_failed", "on_error failed", error=raised)
