"""Background delivery: the handler runs after the response, from a queue in memory."""

import logging
from collections.abc import Iterable

from unisights._delivery.base import Delivery
from unisights._delivery.context import DeliveryContext
from unisights._delivery.duplicates import make_window
from unisights._delivery.handler import MakeRequest
from unisights._delivery.on_error import log_failure, report_failure
from unisights._delivery.outcome import QUEUE_FULL, QUEUED, SHUTTING_DOWN, Outcome
from unisights._delivery.work_queue import QueuedPayload, Submitted, WorkQueue
from unisights._runtime.callers import Caller, run_blocking
from unisights._runtime.ending import TimeLeft
from unisights.delivery import Background
from unisights.errors import UndeliveredError
from unisights.readiness import NotReadyReason
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

    def __init__(self, context: DeliveryContext, bounds: Background) -> None:
        super().__init__(context, on_loop=context.callers.on_process_loop, may_wait=False)
        self._window = make_window(context.options.duplicate_window)
        self._queue = WorkQueue(
            self._handle,
            self._fail,
            get_name=lambda: self.name,
            max_payloads=bounds.queue_size,
            max_bytes=bounds.queue_bytes,
            workers=bounds.max_concurrency,
            only_in_drain=context.callers.delivers_only_in_drain,
        )
        self.drain_timeout = bounds.drain_timeout

    async def deliver(
        self,
        info: RequestInfo,
        payload: UnisightsPayload,
        make_request: MakeRequest,  # noqa: ARG002
        caller: Caller,  # noqa: ARG002  # to queue is not to wait
    ) -> Outcome:
        """Queue the payload."""
        in_worker = self._context.callers.after_response()
        match self._submit(QueuedPayload(payload, info, in_worker)):
            case Submitted.QUEUED:
                self._hook()
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
            return self._queue.submit(queued)
        content_id = queued.payload.content_id
        with window.lock:
            if content_id in window:
                return Submitted.DUPLICATE
            submitted = self._queue.submit(queued)
            if submitted is Submitted.QUEUED:
                window.add(content_id)
            return submitted

    def gauges(self) -> Gauges:
        """Return what waits in the queue or is being handled."""
        return Gauges(*self._queue.held)

    def _reasons(self) -> Iterable[NotReadyReason]:
        if self._queue.is_full:
            yield "queue_full"

    @property
    def is_closed(self) -> bool:
        """Whether payloads are refused since `close`, until `open`."""
        return self._queue.is_closed

    @property
    def has_to_report(self) -> bool:
        """Whether there are payloads, which may not be handled in time."""
        return bool(self._queue.held[0])

    def open(self) -> None:
        """Accept payloads, also after `close`."""
        self._queue.open()

    def drain(self, seconds: float) -> bool:
        """Wait for what is in the queue or being handled now."""
        return self._queue.drain(seconds)

    def _close(self, left: TimeLeft) -> None:
        """Handle what is waiting; pass the rest to `on_error`."""
        self._queue.close(left.drain, left.report)

    def _handle(self, queued: QueuedPayload) -> None:
        run_blocking(self.handler.call(queued.payload, lambda: queued.info, queued.caller))
        self._count("delivered")

    def _fail(self, queued: QueuedPayload, error: Exception) -> None:
        self._count("failed")
        if isinstance(error, UndeliveredError):
            self._log(logging.ERROR, "undelivered", "a payload was not handled: %s", error)
        else:
            log_failure(self._context, error)
        run_blocking(report_failure(self._context, queued.payload, error, queued.caller))
