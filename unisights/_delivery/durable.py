"""Durable delivery: acknowledged once it is in the spool, delivered from there at least once."""

import asyncio
import json
import logging
import os
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisights._delivery.attempts import Attempts, write_request
from unisights._delivery.base import DeliveryContext
from unisights._delivery.detached import DetachedDelivery
from unisights._delivery.handler import MakeRequest
from unisights._delivery.outcome import (
    QUEUED,
    SHUTTING_DOWN,
    SPOOL_FAILED,
    SPOOL_FULL,
    Outcome,
)
from unisights._runtime.calls import is_async
from unisights._runtime.shutdown import before_exit, hold_signals
from unisights._spool.puts import AsyncPut, Stored, SyncPut
from unisights._spool.rejected import RejectedRow
from unisights._spool.store import NewRow, Spool, check_spool
from unisights._spool.workers import LoopWorkers, ThreadWorkers, Workers
from unisights._spool.writer import SpoolWriter
from unisights.errors import ConfigurationError, StoreError
from unisights.rejection import Rejection
from unisights.request import RequestInfo
from unisights.stats import Gauges
from unisights.types import UnisightsPayload

REOPEN_SECONDS = 1.0
"""How long a spool that could not be opened is left alone."""

_COMMON = ("handler", "server_secret", "validate_schema", "validate_required_fields", "ordered")
"""What endpoints that share a spool must agree on: each reads and delivers the others' payloads."""

_Unusable = StoreError | ConfigurationError
"""Why a spool cannot be used; the latter if another endpoint's handler is at it."""

_UNUSABLE = (StoreError, ConfigurationError)


class DurableDelivery(DetachedDelivery):
    """Stores the payload in the spool, answers, and runs the handler afterwards.

    The handler's second argument is the `RequestInfo`. Nothing is opened or started before the
    first payload, or the server's lifespan, in each process.
    """

    def __init__(self, context: DeliveryContext) -> None:
        super().__init__(context)
        options = context.options
        assert options.spool is not None  # noqa: S101  # narrows a type: the options have seen to it
        # Beside the file itself are its locks: they must be the same by whatever name it is used.
        self.path = Path(options.spool).resolve()
        check_spool(self.path)
        self.reset()
        _deliveries.add(self)

    def reset(self) -> None:
        """Begin anew: in a forked child, the connection and the threads are the parent's."""
        self._lock = threading.RLock()
        self._running: _Running | None = None
        self._is_closed = False
        self._is_hooked = False
        self._is_holding = False
        self._error: StoreError | None = None
        self._retry_at = 0.0

    def fork(self) -> None:
        """What a forked child has to do."""
        if (running := self._running) is not None:
            running.writer.forget()
            # Closing the connection here would have SQLite act as if it were the parent.
            _leaked.append(running)
        self.reset()

    async def deliver(
        self,
        info: RequestInfo,
        payload: UnisightsPayload,
        make_request: MakeRequest,  # noqa: ARG002
    ) -> Outcome:
        """Store the payload unless it cannot be stored."""
        self._hook()
        try:
            running = self._running
            if running is None:
                running = await asyncio.to_thread(self._start)
        except _UNUSABLE as error:
            return self._outcome_of(error)
        if running is None:
            return SHUTTING_DOWN
        put = AsyncPut(_row_of(info, payload), payload, info)
        running.writer.put(put)
        return self._outcome_of(await put.wait())

    def deliver_sync(
        self,
        info: RequestInfo,
        payload: UnisightsPayload,
        make_request: MakeRequest,  # noqa: ARG002
    ) -> Outcome:
        """Store the payload unless it cannot be stored."""
        self._hook()
        try:
            running = self._running or self._start()
        except _UNUSABLE as error:
            return self._outcome_of(error)
        if running is None:
            return SHUTTING_DOWN
        put = SyncPut(_row_of(info, payload), payload, info)
        running.writer.put(put)
        return self._outcome_of(put.wait())

    async def keep_rejection(self, rejection: Rejection) -> None:
        """Store it in the spool, too; the sender is answered even if that fails."""
        self._hook()
        stored: Stored | _Unusable = Stored.CLOSED
        try:
            running = self._running or await asyncio.to_thread(self._start)
        except _UNUSABLE as error:
            stored = error
        else:
            if running is not None:
                put = AsyncPut(_rejected_row_of(rejection))
                running.writer.reject(put)
                stored = await put.wait()
        self._note_unkept(stored)
        await super().keep_rejection(rejection)

    def keep_rejection_sync(self, rejection: Rejection) -> None:
        """Likewise, from a thread."""
        self._hook()
        stored: Stored | _Unusable = Stored.CLOSED
        try:
            running = self._running or self._start()
        except _UNUSABLE as error:
            stored = error
        else:
            if running is not None:
                put = SyncPut(_rejected_row_of(rejection))
                running.writer.reject(put)
                stored = put.wait()
        self._note_unkept(stored)
        super().keep_rejection_sync(rejection)

    def _note_unkept(self, stored: Stored | _Unusable) -> None:
        """Log it if a rejected record was not stored."""
        if stored is not Stored.STORED:
            reason = "shutting down" if stored is Stored.CLOSED else stored
            message = "a rejected body was not kept: %s"
            self._log(logging.ERROR, "rejected_lost", message, reason)

    def hold_signals(self) -> None:
        """Let running handlers end before the server hears of SIGTERM; for the main thread."""
        if not self._is_holding:
            self._is_holding = True
            hold_signals(self.drain)

    def open(self) -> None:
        """Open the spool and deliver what is in it.

        Raises:
            StoreError: the spool cannot be used.
            ConfigurationError: another endpoint of this process uses it with another handler, or
                reads payloads otherwise.
        """
        with self._lock:
            self._is_closed = False
            self._retry_at = 0.0
            self._start()

    def drain(self) -> None:
        """Begin with nothing more, and wait for handlers that run, for at most `drain_timeout`.

        The rest stays in the spool, for others. What still comes in goes there, too.
        """
        if (running := self._running) is not None:
            interrupt = self._drain(running)
            if interrupt is not None:
                raise interrupt

    def close(self) -> None:
        """Drain, take no more, and close the spool."""
        with self._lock:
            self._is_closed = True
            running, self._running = self._running, None
        if running is None:
            return
        interrupt = self._drain(running)
        running.writer.stop()
        if interrupt is not None:
            raise interrupt

    def stats(self) -> dict[str, int]:
        """What this process has stored so far: `stored` payloads, in so many `commits`."""
        running = self._running
        if running is None:
            return {"stored": 0, "commits": 0}
        return {"stored": running.writer.stored, "commits": running.writer.commits}

    def _drain(self, running: "_Running") -> BaseException | None:
        running.writer.drain()
        return running.workers.stop(self._options.drain_timeout)

    def _hook(self) -> None:
        if self._is_hooked:
            return
        self._is_hooked = True
        self.handler.close_at_exit()
        before_exit(self.close)
        if not self._is_holding:
            hold_signals(self.drain, only_unhandled=not self.holds_signals)

    def _start(self) -> "_Running | None":
        """What runs in this process; None if it has been closed."""
        with self._lock:
            if self._running is None and not self._is_closed:
                now = time.monotonic()
                if self._error is not None and now < self._retry_at:
                    # Each raise adds to the traceback, which holds requests with their bodies.
                    raise self._error.with_traceback(None)
                try:
                    self._running = self._run_spool()
                except StoreError as error:
                    self._error = error
                    self._retry_at = now + REOPEN_SECONDS
                    raise
            return self._running

    def _run_spool(self) -> "_Running":
        self._refuse_other_handlers()
        options = self._options
        attempts = Attempts(self._context, self.handler)
        bounds = {
            "concurrency": options.max_concurrency,
            "max_jobs": options.queue_size,
            "max_bytes": options.queue_bytes,
        }
        workers: Workers
        if options.handler is not None and is_async(options.handler):
            workers = LoopWorkers(attempts.run_async, **bounds)
        else:
            workers = ThreadWorkers(attempts.run, **bounds)
        spool = Spool(self.path, durability=options.durability, ordered=options.ordered)
        try:
            writer = SpoolWriter(
                spool,
                workers,
                attempts.expel,
                ordered=options.ordered,
                max_bytes=options.spool_bytes,
                max_dead_bytes=options.dead_letter_bytes,
                max_rejected_bytes=options.rejected_bytes,
                longest_wait=options.retry_max_delay,
                duplicate_window=options.duplicate_window,
                counters=self._context.counters,
            )
            attempts.writer = writer
            writer.start()
        except (RuntimeError, StoreError) as error:
            spool.close()
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"cannot use the spool {self.path}: {error}") from error
        return _Running(writer, workers)

    def _refuse_other_handlers(self) -> None:
        for other in list(_deliveries):
            if other is self or other._running is None or other.path != self.path:  # noqa: SLF001  # one of this class
                continue
            theirs = other._options  # noqa: SLF001
            differing = [
                name for name in _COMMON if getattr(theirs, name) != getattr(self._options, name)
            ]
            if differing:
                raise ConfigurationError(
                    f"spool {self.path} is another endpoint's, which has another "
                    f"{' and another '.join(differing)}: give each a spool of its own"
                )

    def _outcome_of(self, stored: Stored | _Unusable) -> Outcome:
        match stored:
            case Stored.STORED | Stored.DUPLICATE:
                return QUEUED
            case Stored.FULL:
                return SPOOL_FULL
            case Stored.CLOSED:
                return SHUTTING_DOWN
            case error:
                self._log(logging.ERROR, "spool_failed", "refused a payload: %s", error)
                return SPOOL_FAILED

    def gauges(self) -> Gauges:
        """What is in the spool, as of about a second ago."""
        running = self._running
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


@dataclass(frozen=True)
class _Running:
    """What runs in a process while it delivers."""

    writer: SpoolWriter
    workers: Workers


_deliveries: "weakref.WeakSet[DurableDelivery]" = weakref.WeakSet()

_leaked: list[_Running] = []


def _row_of(info: RequestInfo, payload: UnisightsPayload) -> NewRow:
    return NewRow(
        payload.raw,
        write_request(info),
        payload.received_at,
        _session_of(payload),
        payload.content_id,
        json.dumps(payload.quarantined) if payload.quarantined else None,
    )


def _rejected_row_of(rejection: Rejection) -> RejectedRow:
    return RejectedRow.of(rejection, write_request(rejection.request))


def _session_of(payload: UnisightsPayload) -> str | None:
    # Only unchecked payloads hold another than a string.
    session_id: Any = payload.data.session_id
    return (
        session_id if session_id is None or isinstance(session_id, str) else json.dumps(session_id)
    )


def _fork_all() -> None:
    for delivery in list(_deliveries):
        delivery.fork()


os.register_at_fork(after_in_child=_fork_all)
