"""Background delivery: the handler runs after the response, from a queue in memory."""

import logging

from unisights._delivery.base import Delivery
from unisights._delivery.context import DeliveryContext
from unisights._delivery.duplicates import make_window
from unisights._delivery.failures import report_failure
from unisights._delivery.handler import MakeRequest
from unisights._delivery.outcome import QUEUE_FULL, QUEUED, SHUTTING_DOWN, Outcome
from unisights._delivery.work_queue import QueuedPayload, Submitted, WorkQueue
from unisights._runtime.callers import IN_THREAD, ON_PROCESS_LOOP, Caller, run_blocking
from unisights.delivery import Background
from unisights.errors import UndeliveredError
from unisights.request import RequestInfo
from unisights.stats import Gauges
from unisights.types import UnisightsPayload


class BackgroundDelivery(Delivery):
    """Queues the payload, responds, and runs the handler afterwards.

    The handler's second argument is the `RequestInfo`: the framework's request does not outlive
    its response.

    Args:
        context: what the delivery is given of its endpoint.
        bounds: how much is queued, and how it is worked off.
    """

    caller = ON_PROCESS_LOOP

    def __init__(self, context: DeliveryContext, bounds: Background) -> None:
        super().__init__(context)
        self._window = make_window(context.options.duplicate_window)
        self._queue = WorkQueue(
            self._handle,
            self._fail,
            max_payloads=bounds.queue_size,
            max_bytes=bounds.queue_bytes,
            workers=bounds.max_concurrency,
            drain_timeout=bounds.drain_timeout,
        )

    async def _deliver(
        self,
        info: RequestInfo,
        payload: UnisightsPayload,
        make_request: MakeRequest,  # noqa: ARG002
        caller: Caller,  # noqa: ARG002  # to queue is not to wait
    ) -> Outcome:
        """Queue the payload."""
        self.handler.close_at_exit()
        match self._submit(QueuedPayload(payload, info)):
            case Submitted.QUEUED:
                self._count("accepted")
                self._count("queued")
                return QUEUED
            case Submitted.DUPLICATE:
                self._count("accepted")
                self._count("duplicate")
                return QUEUED
            case Submitted.FULL:
                return QUEUE_FULL
            case Submitted.CLOSED:
                return SHUTTING_DOWN

    def _submit(self, queued: QueuedPayload) -> Submitted:
        window = self._window
        if window is None:
            return self._queue.submit(queued, defers_signals=self.defers_signals)
        content_id = queued.payload.content_id
        with window.lock:
            if content_id in window:
                return Submitted.DUPLICATE
            submitted = self._queue.submit(queued, defers_signals=self.defers_signals)
            if submitted is Submitted.QUEUED:
                window.add(content_id)
            return submitted

    def gauges(self) -> Gauges:
        """Return what waits in the queue or is being handled."""
        return Gauges(*self._queue.held)

    def defer_signals(self) -> None:
        """Drain before the server gets SIGTERM; to be called in the main thread."""
        self._queue.defer_signals()

    def open(self) -> None:
        """Accept payloads, also after `close`."""
        self._queue.open()

    def close(self) -> None:
        """Handle what is waiting, for at most `drain_timeout`; pass the rest to `on_error`."""
        self._queue.close()

    def _handle(self, queued: QueuedPayload) -> None:
        run_blocking(self.handler.call(queued.payload, lambda: queued.info, IN_THREAD))
        self._count("delivered")

    def _fail(self, queued: QueuedPayload, error: Exception) -> None:
        self._count("failed")
        if isinstance(error, UndeliveredError):
            self._log(logging.ERROR, "undelivered", "a payload was not handled: %s", error)
        else:
            self._log(logging.ERROR, "handler_failed", "the handler failed", error=error)
        run_blocking(report_failure(self._context, queued.payload, error, IN_THREAD))
