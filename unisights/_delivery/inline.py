"""Inline delivery: the handler runs before the response."""

import logging
import time

from unisights._delivery.base import Delivery
from unisights._delivery.context import DeliveryContext
from unisights._delivery.duplicates import make_window
from unisights._delivery.handler import MakeRequest
from unisights._delivery.on_error import log_failure, report_failure
from unisights._delivery.outcome import HANDLED, SHUTTING_DOWN, Outcome
from unisights._runtime.callables import start_in_own_thread
from unisights._runtime.callers import Caller, run_blocking
from unisights._runtime.ending import TimeLeft
from unisights._runtime.event_loop import as_exception
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

CLOSE_SECONDS = 8.0
"""How long closing, and the end of the process, wait for the handlers that run, in seconds."""

_POLL_SECONDS = 0.01
"""How often draining looks whether handlers run. Requests do not pay for telling it."""


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
        if caller is self.in_request:
            # Some servers leave SIGTERM to the system, which would end their threads at once.
            self._hook()
        self._count("accepted")
        window = self._window
        content_id = "" if window is None else payload.content_id
        if window is not None and content_id in window:
            self._count("duplicate")
            return HANDLED
        try:
            if not self.handler.is_missing:
                await self.handler.call(payload, make_request, caller)
        except Exception as error:  # noqa: BLE001  # handlers raise what they like
            log_failure(self._context, error)
            try:
                await report_failure(self._context, payload, error, caller, pooled=True)
            finally:
                # Draining waits for `on_error`, too.
                self._count("failed")
            return Outcome(error=error)
        except BaseException as error:
            # The event loop ends, or a signal interrupts the thread: nothing may wait any more.
            log_failure(self._context, error)
            self._count("failed")
            self._report_aside(payload, as_exception(error))
            raise
        self._count("delivered")
        if window is not None:
            window.add(content_id)
        return HANDLED

    @property
    def is_closed(self) -> bool:
        """Whether payloads are refused since `close`, until `open`."""
        return self._is_closed

    def open(self) -> None:
        """Accept payloads, also after `close`."""
        self._is_closed = False

    def defer_signals(self) -> None:
        """Do nothing: servers wait for their threads, and the endpoint for its tasks."""

    def drain(self, seconds: float) -> bool:
        """Wait until no handler runs."""
        deadline = time.monotonic() + seconds
        while self._context.counters.running():
            if (left := deadline - time.monotonic()) <= 0:
                return False
            time.sleep(min(_POLL_SECONDS, left))
        return True

    def _close(self, left: TimeLeft) -> None:
        self._is_closed = True
        self.drain(left.drain)

    def _report_aside(self, payload: UnisightsPayload, error: Exception) -> None:
        if self._options.on_error is None:
            return

        def report() -> None:
            in_worker = self._context.callers.in_worker
            run_blocking(report_failure(self._context, payload, error, in_worker))

        try:
            start_in_own_thread(report)
        except RuntimeError as raised:
            self._log(logging.ERROR, "on_error_failed", "on_error failed", error=raised)
