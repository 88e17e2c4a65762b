"""Inline delivery: the handler runs before the response."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from unisights._delivery.base import Delivery
from unisights._delivery.context import DeliveryContext
from unisights._delivery.duplicates import make_window
from unisights._delivery.handler import MakeRequest
from unisights._delivery.on_error import report_failure
from unisights._delivery.outcome import HANDLED, SHUTTING_DOWN, Outcome
from unisights._runtime.callables import start_in_own_thread
from unisights._runtime.callers import Caller, run_blocking
from unisights._runtime.ending import TimeLeft
from unisights._runtime.event_loop import as_exception
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

CLOSE_SECONDS = 8.0
"""How long closing waits for the handlers that run; the end of the process does not."""

_POLL_SECONDS = 0.01
"""How often draining looks whether handlers run. Requests do not pay for telling it."""


class InlineDelivery(Delivery):
    """Runs the handler before the response is given."""

    def __init__(self, context: DeliveryContext) -> None:
        super().__init__(context, on_loop=context.callers.on_server_loop)
        self._window = make_window(context.options.duplicate_window)
        self._is_closed = False
        self._unfinished: set[asyncio.Task[Outcome]] = set()

    def deliver(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: MakeRequest
    ) -> Coroutine[Any, Any, Outcome]:
        """Deliver a payload, on the server's event loop."""
        delivering = super().deliver(info, payload, make_request)
        # A thread goes on when its request is cancelled: its outcome counts all the same.
        return self._finish(delivering) if self.handler.runs_in_thread else delivering

    async def _finish(self, delivering: Coroutine[Any, Any, Outcome]) -> Outcome:
        task = asyncio.ensure_future(delivering)
        self._unfinished.add(task)  # The event loop refers to its tasks weakly.
        task.add_done_callback(self._unfinished.discard)
        return await asyncio.shield(task)

    async def _deliver(
        self,
        info: RequestInfo,  # noqa: ARG002
        payload: UnisightsPayload,
        make_request: MakeRequest,
        caller: Caller,
    ) -> Outcome:
        """Run the handler."""
        if self._is_closed:
            return SHUTTING_DOWN
        self._count("accepted")
        window = self._window
        content_id = "" if window is None else payload.content_id
        if window is not None and content_id in window:
            self._count("duplicate")
            return HANDLED
        try:
            await self.handler.call(payload, make_request, caller)
        except Exception as error:  # noqa: BLE001  # handlers raise what they like
            self._note_failure(error)
            await report_failure(self._context, payload, error, caller, pooled=True)
            return Outcome(error=error)
        except BaseException as error:
            # The host ends the request: nothing may wait here any more.
            self._note_failure(error)
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
        """Do nothing: there is no queue to drain."""

    def drain(self, seconds: float) -> bool:
        """Wait until no handler runs."""
        deadline = time.monotonic() + seconds
        while self._context.counters.running():
            if (left := deadline - time.monotonic()) <= 0:
                return False
            time.sleep(min(_POLL_SECONDS, left))
        return True

    def close(self, left: TimeLeft | None = None) -> None:
        """Accept nothing more, and wait for the handlers that run."""
        super().close(left or TimeLeft.alone(CLOSE_SECONDS))

    def _close(self, left: TimeLeft) -> None:
        self._is_closed = True
        self.drain(left.drain)

    def _note_failure(self, error: BaseException) -> None:
        self._count("failed")
        self._log(logging.ERROR, "handler_failed", "the handler failed", error=error)

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
