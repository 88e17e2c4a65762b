"""What every delivery does."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

from unisights._delivery.context import DeliveryContext
from unisights._delivery.handler import MakeRequest, ManagedHandler
from unisights._delivery.naming import name_endpoint
from unisights._delivery.outcome import Outcome
from unisights._runtime import shutdown
from unisights._runtime.callables import run_in_own_thread
from unisights._runtime.callers import Caller, run_blocking
from unisights._runtime.ending import CLOSE_SECONDS, TimeLeft
from unisights._runtime.fork import reset_in_children
from unisights.readiness import NotReadyReason
from unisights.rejection import Rejection
from unisights.request import RequestInfo
from unisights.stats import Gauges
from unisights.types import UnisightsPayload


class Delivery(ABC):
    """Delivers the payloads of one endpoint, and keeps its rejections.

    Args:
        context: what the delivery is given of its endpoint.
        on_loop: calls the user's functions for a host that runs an event loop.
        may_wait: whether delivering a payload may wait.

    Attributes:
        name: what operators know the endpoint by.
        on_loop: as given.
        in_request: calls the user's functions for a host that serves each request in a thread.
        may_wait: whether delivering a payload, or keeping a rejection, may wait.
        handler: the user's handler, which it opens and closes.
        defers_signals: whether nothing but a signal will say that the process is about to end.
        drain_timeout: how long draining may take when the process ends, in seconds.
    """

    defers_signals = False
    drain_timeout = 0.0

    def __init__(self, context: DeliveryContext, on_loop: Caller, *, may_wait: bool) -> None:
        self._context = context
        self.name = name_endpoint(context.options.path, context.options.handler)
        self._options = context.options
        self._count = context.counters.add
        self._log = context.log.log
        self.on_loop = on_loop
        self.in_request = context.callers.in_request
        self.may_wait = may_wait or context.options.on_reject is not None
        # Whoever opens the handler has to close it, at the latest when the process ends.
        self.handler = ManagedHandler(context.options.handler, self._close_at_exit)
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Signals and the end of a child are its own."""
        self._is_hooked = False
        self._is_deferring = False

    @abstractmethod
    async def deliver(
        self,
        info: RequestInfo,
        payload: UnisightsPayload,
        make_request: MakeRequest,
        caller: Caller,
    ) -> Outcome:
        """Deliver a payload.

        Args:
            info: its request.
            payload: the payload.
            make_request: makes the framework's request.
            caller: `on_loop` or `in_request`, by where the host calls.
        """

    async def keep_rejection(self, rejection: Rejection, caller: Caller) -> None:
        """Keep a rejection: pass it to `on_reject`; what goes wrong is logged."""
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

    def reasons(self) -> tuple[NotReadyReason, ...]:
        """Return why payloads cannot be accepted now."""
        reasons = list(self._reasons())
        if self.is_closed:
            reasons.append("closed")
        if self.handler.has_failed_to_open:
            reasons.append("handler_not_open")
        return tuple(reasons)

    def _reasons(self) -> Iterable[NotReadyReason]:
        """Return the reasons that are this delivery's own."""
        return ()

    # Its life.

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether payloads are refused since `close`, until `open`."""

    @abstractmethod
    def open(self) -> None:
        """Be ready to deliver, also after `close`."""

    @abstractmethod
    def drain(self, seconds: float) -> bool:
        """Wait for what was accepted before the call, at most so long; return whether it is done.

        Blocks. Payloads are accepted meanwhile.
        """

    async def adrain(self, seconds: float) -> bool:
        """Wait as `drain` does, in code on an event loop."""
        if not self._context.callers.delivers_only_in_drain():
            return await run_in_own_thread(self.drain, seconds)
        done: list[bool] = []
        # It calls handlers, so it runs where the framework runs what is not async.
        await self._context.callers.on_server_loop.call(lambda: done.append(self.drain(seconds)))
        return done[0]

    def close(self, left: TimeLeft | None = None) -> None:
        """Accept nothing more, drain for at most so long, and give back what is held. Blocks.

        Args:
            left: the time that is left for it; None for `drain_timeout`, when the process goes on.
        """
        try:
            self._close(left or TimeLeft.alone(self.drain_timeout))
        finally:
            shutdown.leave(self)
            self._is_hooked = self._is_deferring = False

    @property
    def has_to_report(self) -> bool:
        """Whether closing may take longer than draining."""
        return False

    @property
    def has_to_close(self) -> bool:
        """Whether the handler has to be closed."""
        return self.handler.has_to_close

    async def close_with_app(self, finish_requests: Callable[[float], Awaitable[None]]) -> None:
        """Close, then close the handler, when the app ends: its endpoints share the time for it.

        Args:
            finish_requests: waits at most so many seconds for the requests that are unfinished.
        """
        with shutdown.time_left(self) as left:
            async with shutdown.leave_behind(self, left.drain + left.report):
                begin = time.monotonic()
                await finish_requests(left.drain)
                waited = time.monotonic() - begin
                rest = replace(left, drain=max(0.0, left.drain - waited))
                await run_in_own_thread(self.close, rest)
            await self.close_handler(left.close)

    @abstractmethod
    def _close(self, left: TimeLeft) -> None:
        """Accept nothing more, drain, and give back what is held, within the given time."""

    def finish(self, left: TimeLeft | None = None) -> None:
        """Close the handler, after everything was drained. Blocks."""
        seconds = CLOSE_SECONDS if left is None else left.close
        run_blocking(self.handler.close(self._context.callers.in_worker, seconds))

    def drain_at_signal(self, left: TimeLeft) -> None:
        """Drain before the process or its server gets a signal, for at most so long. Blocks."""
        self._close(left)

    def defer_signals(self) -> None:
        """Drain before the server gets SIGTERM."""
        if not self._is_deferring:
            self._is_deferring = True
            shutdown.drain_at_signal(self)

    def _hook(self) -> None:
        """Register for the end of the process, before the first payload that it waits for."""
        if self._is_hooked or self._context.callers.delivers_only_in_drain():
            return
        self._is_hooked = True
        self._close_at_exit()
        if self.defers_signals:
            self.defer_signals()

    def _close_at_exit(self) -> None:
        # What a test has left must not be handled, nor flushed, after the test's database is gone.
        if not self._context.callers.delivers_only_in_drain():
            shutdown.close_at_exit(self)

    def open_handler(self) -> Coroutine[Any, Any, None]:
        """Open the handler before its first call, where a server says that it has started."""
        return self.handler.open(self.on_loop)

    def close_handler(self, seconds: float = CLOSE_SECONDS) -> Coroutine[Any, Any, None]:
        """Close the handler after its last call, where a server says that it ends."""
        return self.handler.close(self.on_loop, seconds)
