"""From an accepted payload to the handler, and to the answer."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from unisights._delivery.duplicates import Window
from unisights._delivery.handler import MakeRequest, ManagedHandler
from unisights._delivery.work_queue import Job, Outcome, WorkQueue
from unisights._http.responses import HTTPResponse
from unisights._runtime.calls import call_async, call_sync, is_async
from unisights._runtime.event_loop import shared_loop
from unisights._runtime.log import ThrottledLog
from unisights.collector import Collector, Decision, Rejected
from unisights.config import DeliveryMode
from unisights.errors import UndeliveredError
from unisights.rejection import Rejection
from unisights.request import RequestInfo
from unisights.stats import Gauges
from unisights.types import UnisightsPayload

MakeRequestOf = Callable[[bytes], Any]
"""Makes the framework's request, given the body that was read."""


class Delivery(ABC):
    """Delivers the payloads of one endpoint.

    Attributes:
        collector: what the endpoint decides by; it counts.
        handler: the user's handler, with its life.
        holds_signals: whether nothing but a signal will say that the process is about to end.
    """

    holds_signals = False

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.handler = ManagedHandler(collector.options.handler)
        self._on_reject = collector.options.on_reject

    @abstractmethod
    async def deliver(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> HTTPResponse:
        """Deliver, on an event loop."""

    @abstractmethod
    def deliver_sync(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> HTTPResponse:
        """Deliver, in a thread."""

    def settle(
        self, info: RequestInfo, outcome: Decision, make_request: MakeRequestOf
    ) -> Coroutine[Any, Any, HTTPResponse]:
        """Deliver what was accepted, keep what was rejected, and answer; on an event loop."""
        if isinstance(outcome, UnisightsPayload):
            # No coroutine around the one that delivers: each request would pay for it.
            return self.deliver(info, outcome, lambda: make_request(outcome.raw))
        return self._settle_rest(info, outcome, make_request)

    def settle_sync(
        self, info: RequestInfo, outcome: Decision, make_request: MakeRequestOf
    ) -> HTTPResponse:
        """Likewise, in a thread."""
        if isinstance(outcome, HTTPResponse):
            return outcome
        if isinstance(outcome, Rejected):
            self._keep_sync(outcome.rejection)
            return self.settle_sync(info, outcome.rest, make_request)
        return self.deliver_sync(info, outcome, lambda: make_request(outcome.raw))

    async def _settle_rest(
        self, info: RequestInfo, outcome: HTTPResponse | Rejected, make_request: MakeRequestOf
    ) -> HTTPResponse:
        if isinstance(outcome, HTTPResponse):
            return outcome
        await self._keep(outcome.rejection)
        return await self.settle(info, outcome.rest, make_request)

    async def _keep(self, rejection: Rejection) -> None:
        """Hand it to `on_reject`, where the handler runs: on the server's loop."""
        try:
            if self._on_reject is not None:
                await call_async(self._on_reject, rejection)
        except Exception as error:  # noqa: BLE001  # it is the user's, the answer is the sender's
            self._log_on_reject(error)

    def _keep_sync(self, rejection: Rejection) -> None:
        """Likewise, from a thread: an async one runs on the process's loop."""
        try:
            if self._on_reject is not None:
                call_sync(self._on_reject, rejection)
        except Exception as error:  # noqa: BLE001
            self._log_on_reject(error)

    def _log_on_reject(self, error: Exception) -> None:
        self.collector.log.log(logging.ERROR, "on_reject_failed", "on_reject failed", error=error)

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


def make_delivery(collector: Collector, default: DeliveryMode) -> Delivery:
    """The delivery that the options ask for, or the framework's own default."""
    match collector.options.delivery or default:
        case "inline":
            return InlineDelivery(collector)
        case "background":
            return BackgroundDelivery(collector)
        case "durable":
            # SQLite takes a while to import, and the others need none.
            from unisights._delivery.durable import DurableDelivery  # noqa: PLC0415

            return DurableDelivery(collector)


class InlineDelivery(Delivery):
    """Runs the handler before the answer is given."""

    def __init__(self, collector: Collector) -> None:
        super().__init__(collector)
        self._on_error = collector.options.on_error
        self._responses = collector.responses
        self._count = collector.counters.one
        self._window = _make_window(collector)

    async def deliver(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> HTTPResponse:
        """Run the handler and answer 200, or 500 if it raises."""
        self._count("accepted")
        window = self._window
        if window is None and self.handler.is_missing:
            self._count("delivered")
            return self._responses.received(info, payload)
        content_id = "" if window is None else payload.content_id
        if window is not None and content_id in window:
            return self._drop(info, payload)
        try:
            await self.handler.call_async(payload, make_request)
        except Exception as error:  # noqa: BLE001  # handlers raise what they like
            self._log_failure(error)
            try:
                if self._on_error is not None:
                    await call_async(self._on_error, payload, error)
            except Exception as raised:  # noqa: BLE001
                _log_on_error(self.collector.log, raised)
            return self._responses.handler_failed(info, error)
        self._count("delivered")
        if window is not None:
            window.add(content_id)
        return self._responses.received(info, payload)

    def deliver_sync(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> HTTPResponse:
        """Run the handler and answer 200, or 500 if it raises."""
        self._count("accepted")
        window = self._window
        content_id = "" if window is None else payload.content_id
        if window is not None and content_id in window:
            return self._drop(info, payload)
        try:
            self.handler.call_sync(payload, make_request)
        except Exception as error:  # noqa: BLE001  # handlers raise what they like
            self._log_failure(error)
            report(self.collector, payload, error)
            return self._responses.handler_failed(info, error)
        self._count("delivered")
        if window is not None:
            window.add(content_id)
        return self._responses.received(info, payload)

    def _drop(self, info: RequestInfo, payload: UnisightsPayload) -> HTTPResponse:
        """Answer a payload that has been handled already."""
        self._count("duplicate")
        return self._responses.received(info, payload)

    def _log_failure(self, error: Exception) -> None:
        self._count("failed")
        self.collector.log.log(logging.ERROR, "handler_failed", "the handler failed", error=error)


class DetachedDelivery(Delivery):
    """Answers first, and calls the handler from a thread of its own."""

    async def _keep(self, rejection: Rejection) -> None:
        """Hand it to `on_reject` where the handler runs: on the process's loop, if it is async."""
        if self._on_reject is not None and is_async(self._on_reject):
            await shared_loop().run_async(super()._keep(rejection))
        else:
            await super()._keep(rejection)

    async def open_handler(self) -> None:
        """Open it where it is called: from a thread, and if it is async on the process's loop."""
        await asyncio.to_thread(self.handler.open_sync)

    async def close_handler(self) -> None:
        """Close it there."""
        await asyncio.to_thread(self.handler.close_sync)


class BackgroundDelivery(DetachedDelivery):
    """Queues the payload, answers, and runs the handler afterwards.

    The handler's second argument is the `RequestInfo`: the framework's request does not outlive
    its answer.
    """

    def __init__(self, collector: Collector) -> None:
        super().__init__(collector)
        options = collector.options
        self._responses = collector.responses
        self._count = collector.counters.one
        self._window = _make_window(collector)
        self._queue = WorkQueue(
            self._run,
            self._fail,
            max_jobs=options.queue_size,
            max_bytes=options.queue_bytes,
            workers=options.max_concurrency,
            drain_timeout=options.drain_timeout,
        )
        collector.read_gauges = lambda: Gauges(*self._queue.held)

    async def deliver(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> HTTPResponse:
        """Queue the payload and answer 202, or 503 if it cannot be queued."""
        return self.deliver_sync(info, payload, make_request)

    def deliver_sync(
        self,
        info: RequestInfo,
        payload: UnisightsPayload,
        make_request: MakeRequest,  # noqa: ARG002
    ) -> HTTPResponse:
        """Queue the payload and answer 202, or 503 if it cannot be queued."""
        self.handler.close_at_exit()
        match self._submit(Job(payload, info)):
            case Outcome.QUEUED:
                self._count("accepted")
                self._count("queued")
                return self._responses.queued(info, payload)
            case Outcome.DUPLICATE:
                self._count("accepted")
                self._count("duplicate")
                return self._responses.queued(info, payload)
            case Outcome.FULL:
                response = self._responses.unavailable(info, "the queue is full")
                return self.collector.refuse("queue_full", response)
            case Outcome.CLOSED:
                response = self._responses.unavailable(info, "shutting down")
                return self.collector.refuse("shutting_down", response)

    def _submit(self, job: Job) -> Outcome:
        window = self._window
        if window is None:
            return self._queue.submit(job, holds_signals=self.holds_signals)
        content_id = job.payload.content_id
        with window.lock:
            if content_id in window:
                return Outcome.DUPLICATE
            outcome = self._queue.submit(job, holds_signals=self.holds_signals)
            if outcome is Outcome.QUEUED:
                window.add(content_id)
            return outcome

    def hold_signals(self) -> None:
        """Drain before the server hears of SIGTERM; for the main thread."""
        self._queue.hold_signals()

    def open(self) -> None:
        """Take payloads, again if need be."""
        self._queue.open()

    def close(self) -> None:
        """Handle what is waiting, for at most `drain_timeout`; then hand it to `on_error`."""
        self._queue.close()

    def _run(self, job: Job) -> None:
        self.handler.call_sync(job.payload, lambda: job.info)
        self._count("delivered")

    def _fail(self, job: Job, error: Exception) -> None:
        self._count("failed")
        log = self.collector.log.log
        if isinstance(error, UndeliveredError):
            log(logging.ERROR, "undelivered", "a payload was not handled: %s", error)
        else:
            log(logging.ERROR, "handler_failed", "the handler failed", error=error)
        report(self.collector, job.payload, error)


def report(collector: Collector, payload: UnisightsPayload, error: Exception) -> None:
    """Hand a payload that was not handled to the user's `on_error`."""
    if collector.options.on_error is None:
        return
    try:
        call_sync(collector.options.on_error, payload, error)
    except Exception as raised:  # noqa: BLE001
        _log_on_error(collector.log, raised)


def _log_on_error(log: ThrottledLog, error: Exception) -> None:
    log.log(logging.ERROR, "on_error_failed", "on_error failed", error=error)


def _make_window(collector: Collector) -> Window | None:
    seconds = collector.options.duplicate_window
    return Window(seconds) if seconds else None
