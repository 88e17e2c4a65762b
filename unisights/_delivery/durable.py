"""Durable delivery: acknowledged once it is in the spool, delivered from there at least once."""

import logging
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from unisights._delivery.base import Delivery
from unisights._delivery.context import DeliveryContext
from unisights._delivery.handler import MakeRequest
from unisights._delivery.outcome import (
    QUEUED,
    SHUTTING_DOWN,
    SPOOL_FAILED,
    SPOOL_FULL,
    Outcome,
)
from unisights._delivery.spool_runner import SpoolRunner
from unisights._delivery.temporary_spool import TemporarySpool
from unisights._runtime.callers import Caller
from unisights._runtime.ending import TimeLeft
from unisights._runtime.fork import leak
from unisights._runtime.recent import Recent
from unisights._spool.puts import Put, PutResult
from unisights._spool.rejections import RejectionRow
from unisights._spool.rows import NewRow
from unisights.delivery import Durable
from unisights.errors import ConfigurationError, StoreError
from unisights.readiness import NotReadyReason
from unisights.rejection import Rejection
from unisights.request import RequestInfo
from unisights.stats import Gauges
from unisights.types import UnisightsPayload

_Unusable = StoreError | ConfigurationError | RuntimeError
"""Why nothing can be stored: the file; other endpoints that use it; or no thread to open it in."""


class DurableDelivery(Delivery):
    """Stores the payload in the spool, responds, and runs the handler afterwards.

    The handler's second argument is the `RequestInfo`. In each process, the spool is opened with
    the server's lifespan, or once the process is seen to serve, or with the first payload,
    whichever comes first.

    Args:
        context: what the delivery is given of its endpoint.
        durable: the spool, and how payloads are delivered from it.

    Attributes:
        path: the spool's file.
    """

    _temporary: TemporarySpool | None = None

    def __init__(self, context: DeliveryContext, durable: Durable) -> None:
        super().__init__(context, on_loop=context.callers.on_process_loop, may_wait=True)
        # Its locks lie beside the file: they must be the same by whatever name it is used.
        self.path = Path(durable.spool).resolve()
        self._make_runner = partial(SpoolRunner, context, durable, self.handler)
        self._own_runner = self._make_runner(self.path)
        self.drain_timeout = durable.drain_timeout
        self._has_been_full = Recent()
        self._has_failed = Recent()

    def reset_after_fork(self) -> None:
        """A spool for tests is the parent's, and must not be closed here."""
        super().reset_after_fork()
        if self._temporary is not None:
            leak(self._temporary)
        self._temporary = None
        self._making = threading.Lock()

    @property
    def _runner(self) -> SpoolRunner:
        if not self._context.callers.delivers_only_in_drain():
            return self._own_runner
        with self._making:
            if self._temporary is None:
                self._temporary = TemporarySpool(self._make_runner)
            return self._temporary.runner

    async def deliver(
        self,
        info: RequestInfo,
        payload: UnisightsPayload,
        make_request: MakeRequest,  # noqa: ARG002
        caller: Caller,
    ) -> Outcome:
        """Store the payload."""
        put = Put(NewRow.of(payload, info), caller.make_latch(), payload, info)
        return self._outcome_of(await self._store(put, caller))

    async def keep_rejection(self, rejection: Rejection, caller: Caller) -> None:
        """Store a rejection, and pass it to `on_reject` even if that fails."""
        put = Put(RejectionRow.of(rejection), caller.make_latch())
        stored = await self._store(put, caller)
        if stored is not PutResult.STORED:
            reason = "shutting down" if stored is PutResult.CLOSED else stored
            message = "a rejected body was not kept: %s"
            self._log(logging.ERROR, "rejected_lost", message, reason)
        await super().keep_rejection(rejection, caller)

    async def _store(
        self, put: Put[NewRow] | Put[RejectionRow], caller: Caller
    ) -> PutResult | _Unusable:
        runner = self._runner
        try:
            running = runner.running or await caller.block(runner.start)
        except (StoreError, ConfigurationError, RuntimeError) as error:
            return error
        if running is None:
            return PutResult.CLOSED
        self._hook()
        return await running.writer.store(put)

    def _outcome_of(self, result: PutResult | _Unusable) -> Outcome:
        match result:
            case PutResult.STORED | PutResult.DUPLICATE:
                return QUEUED
            case PutResult.FULL:
                self._has_been_full.note()
                return SPOOL_FULL
            case PutResult.CLOSED:
                return SHUTTING_DOWN
            case error:
                self._has_failed.note()
                self._log(logging.ERROR, "spool_failed", "refused a payload: %s", error)
                return SPOOL_FAILED

    def gauges(self) -> Gauges:
        """Return what is in the spool, as of about a second ago."""
        running = self._runner.running
        if running is None:
            return Gauges()
        totals = running.writer.totals
        return Gauges(
            waiting=totals.waiting,
            waiting_bytes=totals.waiting_bytes,
            dead_letters=totals.dead,
            dead_letter_bytes=totals.dead_bytes,
            rejected=totals.rejected,
            rejected_bytes=totals.rejected_bytes,
        )

    def _reasons(self) -> Iterable[NotReadyReason]:
        if self._has_been_full:
            yield "spool_full"
        if self._has_failed or self._runner.is_stuck:
            yield "spool_failed"

    @property
    def is_closed(self) -> bool:
        """Whether payloads are refused since `close`, until `open`."""
        return self._runner.is_closed

    @property
    def has_to_report(self) -> bool:
        """Whether the spool is open: closing it takes time if another process holds it up."""
        return self._runner.running is not None

    def open(self) -> None:
        """Open the spool and deliver what is in it.

        Raises:
            StoreError: the spool cannot be used.
            ConfigurationError: another endpoint of this process uses it with another handler, or
                reads payloads otherwise.
        """
        self._runner.open()
        self._close_at_exit()

    @property
    def has_to_resume(self) -> bool:
        """Whether the spool has not been opened in this process, nor closed."""
        runner = self._own_runner
        is_waiting = runner.running is None and not runner.is_closed
        return is_waiting and not self._context.callers.delivers_only_in_drain()

    def resume(self) -> None:
        """Open the spool and deliver what is in it, unless it was closed.

        Raises:
            StoreError: the spool cannot be used.
            ConfigurationError: as for `open`.
        """
        if self._own_runner.start() is not None:
            self._close_at_exit()

    def drain(self, seconds: float) -> bool:
        """Wait until all that is in the spool now has been delivered or has become a dead letter.

        Raises:
            StoreError: the spool cannot be opened.
            ConfigurationError: as for `open`.
        """
        running = self._runner.start()
        return running is not None and running.writer.wait_until_delivered(seconds)

    def _close(self, left: TimeLeft) -> None:
        """Wait for the handlers that run, and close the spool; all other payloads stay in it."""
        self._runner.close(left.drain)

    def drain_at_signal(self, left: TimeLeft) -> None:
        """Start no more handlers, and wait for those that run, for at most so long. Blocks.

        All other payloads stay in the spool, also those that arrive from now on.
        """
        self._runner.halt(left.drain)
