"""What every delivery does."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from unisights._delivery.context import DeliveryContext
from unisights._delivery.handler import MakeRequest, ManagedHandler
from unisights._delivery.outcome import Outcome
from unisights._runtime.callers import IN_THREAD, ON_LOOP, Caller, run_blocking
from unisights.rejection import Rejection
from unisights.request import RequestInfo
from unisights.stats import Gauges
from unisights.types import UnisightsPayload


class Delivery(ABC):
    """Delivers the payloads of one endpoint, and keeps its rejections.

    What hosts call comes in two colours, which run the same code and wait in different ways.

    Attributes:
        handler: the user's handler, which it opens and closes.
        caller: how it calls and waits for a host that runs an event loop.
        defers_signals: whether nothing but a signal will say that the process is about to end.
    """

    caller: Caller = ON_LOOP
    defers_signals = False

    def __init__(self, context: DeliveryContext) -> None:
        self._context = context
        self._options = context.options
        self._count = context.counters.add
        self._log = context.log.log
        self.handler = ManagedHandler(context.options.handler)

    def deliver(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> Coroutine[Any, Any, Outcome]:
        """Deliver a payload, on the host's event loop."""
        return self._deliver(info, payload, make_request, self.caller)

    def deliver_sync(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> Outcome:
        """Deliver a payload, in the host's thread."""
        return run_blocking(self._deliver(info, payload, make_request, IN_THREAD))

    def keep_rejection(self, rejection: Rejection) -> Coroutine[Any, Any, None]:
        """Keep a rejection, on the host's event loop; what goes wrong is logged."""
        return self._keep_rejection(rejection, self.caller)

    def keep_rejection_sync(self, rejection: Rejection) -> None:
        """Keep a rejection, in the host's thread; what goes wrong is logged."""
        run_blocking(self._keep_rejection(rejection, IN_THREAD))

    @abstractmethod
    async def _deliver(
        self,
        info: RequestInfo,
        payload: UnisightsPayload,
        make_request: MakeRequest,
        caller: Caller,
    ) -> Outcome:
        """Deliver a payload."""

    async def _keep_rejection(self, rejection: Rejection, caller: Caller) -> None:
        """Pass a rejection to `on_reject`, which runs where the handler does."""
        on_reject = self._options.on_reject
        if on_reject is None:
            return
        try:
            await caller.call(on_reject, rejection)
        except Exception as error:  # noqa: BLE001  # users' functions raise anything
            self._log(logging.ERROR, "on_reject_failed", "on_reject failed", error=error)

    def gauges(self) -> Gauges:
        """Return what is waiting now."""
        return Gauges(0, 0)

    def defer_signals(self) -> None:  # noqa: B027  # what delivers at once has nothing to drain
        """Drain before the server gets SIGTERM; to be called in the main thread."""

    def open(self) -> None:  # noqa: B027  # what delivers at once has nothing to open
        """Be ready to deliver, also after `close`."""

    def close(self) -> None:  # noqa: B027  # nor to close
        """Drain, as far as time allows, and accept nothing more. Blocks."""

    def open_handler(self) -> Coroutine[Any, Any, None]:
        """Open the handler before its first call, where a server says that it has started."""
        return self.handler.open(self.caller)

    def close_handler(self) -> Coroutine[Any, Any, None]:
        """Close the handler after its last call, where a server says that it ends."""
        return self.handler.close(self.caller)
