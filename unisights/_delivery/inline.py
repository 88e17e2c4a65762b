"""Inline delivery: the handler runs before the response."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial

from unisights._delivery.base import Delivery
from unisights._delivery.context import DeliveryContext
from unisights._delivery.duplicates import make_window
from unisights._delivery.handler import MakeRequest
from unisights._delivery.on_error import log_failure, report_failure, report_failure_pooled
from unisights._delivery.outcome import HANDLED, SHUTTING_DOWN, Outcome
from unisights._runtime.callables import start_in_own_thread
from unisights._runtime.callers import Caller, run_blocking
from unisights._runtime.ending import TimeLeft
from unisights._runtime.event_loop import as_exception
from unisights.errors import UndeliveredError
from unisights.request import RequestInfo
from unisights.stats import Counted
from unisights.types import UnisightsPayload

CLOSE_SECONDS = 8.0
"""How long closing, and the end of the process, wait for the handlers that run, in seconds."""

_ALL_DONE: tuple[Counted, ...] = ("accepted", "delivered")
"""What is counted for a payload that nobody handles."""

_POLL_SECONDS = 0.01
"""How often draining looks whether handlers run. So requests need not report it."""


class InlineDelivery(Delivery):
    """Runs the handler before the response is given."""

    drain_timeout = CLOSE_SECONDS

    def __init__(self, context: DeliveryContext) -> None:
        super().__init__(
            context,
            on_loop=context.callers.on_server_loop,
            may_wait=context.options.handler is not None,
        )
        self._window = make_window(context.options.duplicate_window)
        self._is_closed = False

    def reset_after_fork(self) -> None:
        """Forget the handlers that run: they are the parent's."""
        super().reset_after_fork()
        self._numbers = itertools.count()
        self._running: dict[int, UnisightsPayload] = {}  # by their numbers
        self._failing: set[int] = set()
        self._reports: set[Future[None]] = set()

    async def deliver(
        self,
        info: RequestInfo,  # noqa: ARG002
        payload: UnisightsPayload,
        make_request: MakeRequest,
        caller: Caller,
    ) -> Outcome:
        """Run the handler."""
        if self._is_closed:
            return SHUTTING_DOWN
        window = self._window
        if window is None and self.handler.is_missing:
            self._context.counters.add_each(_ALL_DONE)
            return HANDLED
        self._count("accepted")
        content_id = "" if window is None else payload.content_id
        if window is not None and content_id in window:
            self._count("duplicate")
            return HANDLED
        if not self.handler.is_missing:
            if self.defers_signals or caller is self.in_request:
                # Some servers leave SIGTERM to the system, which would end their threads at once;
                # others send it to themselves again when their event loop has ended.
                self._hook()
            number = next(self._numbers)
            self._running[number] = payload
            try:
                await self.handler.call(payload, make_request, caller)
            except BaseException as error:
                await self._fail(number, error, caller)
                if not isinstance(error, Exception):
                    raise
                return Outcome(error=error)
            if self._running.pop(number, None) is None:
                return HANDLED  # It was reported meanwhile, as the process ends.
        self._count("delivered")
        if window is not None:
            window.add(content_id)
        return HANDLED

    async def _fail(self, number: int, error: BaseException, caller: Caller) -> None:
        self._failing.add(number)  # Draining waits for `on_error`, too.
        payload = self._running.pop(number, None)
        if payload is None:
            self._failing.discard(number)
            return  # It was reported meanwhile: once is enough.
        self._count("failed")
        log_failure(self._context, error)
        try:
            if isinstance(error, Exception):
                aside = partial(self._report_aside, payload, error)
                await report_failure_pooled(self._context, payload, error, caller, aside)
            else:
                # The event loop ends, or a signal interrupts the thread: nothing may wait any more.
                self._report_aside(payload, _as_undelivered(error))
        finally:
            self._failing.discard(number)

    @property
    def is_closed(self) -> bool:
        """Whether payloads are refused since `close`, until `open`."""
        return self._is_closed

    def open(self) -> None:
        """Accept payloads, also after `close`."""
        self._is_closed = False

    def drain(self, seconds: float) -> bool:
        """Wait for the handlers that run now, and for their `on_error`."""
        return not self._wait_for_some(self._unfinished(), seconds)

    def drain_at_signal(self, left: TimeLeft) -> None:
        """Wait for the handlers that run now; pass the payloads of the others to `on_error`.

        Requests are served meanwhile: their clients may wait for the answers.
        """
        self._drain_and_report(left)

    def _drain_and_report(self, left: TimeLeft) -> None:
        self._report_some(self._wait_for_some(self._unfinished(), left.drain))
        wait(self._reports.copy(), left.report)

    def _unfinished(self) -> set[int]:
        return {*self._running.copy(), *self._failing.copy()}

    def _wait_for_some(self, numbers: set[int], seconds: float) -> set[int]:
        """Wait for handlers, at most so long; return those that have not finished."""
        deadline = time.monotonic() + seconds
        while numbers := numbers & self._unfinished():
            if (left := deadline - time.monotonic()) <= 0:
                break
            time.sleep(min(_POLL_SECONDS, left))
        return numbers

    @property
    def has_to_report(self) -> bool:
        """Whether closing may take longer than draining."""
        return bool(self._running or self._reports)

    def _close(self, left: TimeLeft) -> None:
        """Wait for the handlers that run, and pass the payloads of the others to `on_error`."""
        self._is_closed = True
        self._drain_and_report(left)

    def _report_some(self, numbers: set[int]) -> None:
        popped = [self._running.pop(number, None) for number in numbers]
        rest = [payload for payload in popped if payload is not None]
        count = len(rest)
        if not count:
            return
        message = "%s: payloads that were not handled before the end: %d"
        name = self.name
        self._log(logging.ERROR, "undelivered", message, name, count, count=count, endpoint=name)
        self._count("failed", count)
        if self._options.on_error is not None:
            self._start_report(partial(self._report_each, rest))

    def _report_each(self, payloads: Sequence[UnisightsPayload]) -> None:
        for payload in payloads:
            self._report(payload, UndeliveredError("the process ended before it was handled"))

    def _report_aside(self, payload: UnisightsPayload, error: Exception) -> None:
        if self._options.on_error is not None:
            self._start_report(partial(self._report, payload, error))

    def _start_report(self, report: Callable[[], None]) -> None:
        """Call `on_error` in a thread of its own; the end of the process waits for it."""
        try:
            started = start_in_own_thread(report)
        except RuntimeError:  # There are no more threads.
            report()
            return
        self._reports.add(started)
        started.add_done_callback(self._reports.discard)
        self._close_at_exit()

    def _report(self, payload: UnisightsPayload, error: Exception) -> None:
        in_worker = self._context.callers.in_worker
        run_blocking(report_failure(self._context, payload, error, in_worker))


def _as_undelivered(error: BaseException) -> Exception:
    if isinstance(error, asyncio.CancelledError):
        return UndeliveredError("its handler was cancelled, as the event loop ended")
    return as_exception(error)
