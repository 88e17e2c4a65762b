"""What a process runs to deliver from a spool: opened at first use, drained and closed."""

import logging
import sqlite3
import threading
import time
import weakref
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unisights._delivery.context import DeliveryContext
from unisights._delivery.handler import ManagedHandler
from unisights._delivery.retry import Attempts
from unisights._runtime.callables import is_async, start_in_own_thread
from unisights._runtime.callers import Caller
from unisights._runtime.fork import leak, reset_in_children
from unisights._runtime.log import log
from unisights._spool.files import check_spool, explain
from unisights._spool.progress import Progress
from unisights._spool.store import Spool
from unisights._spool.workers import DrainWorkers, LoopWorkers, ThreadWorkers, Workers
from unisights._spool.writer import SpoolWriter
from unisights.delivery import Durable
from unisights.errors import ConfigurationError, StoreError

REOPEN_SECONDS = 1.0
"""A spool that could not be opened is not tried again for so long."""

OPEN_SECONDS = 5.0
"""How long requests and `open` wait for the spool to be opened; that goes on afterwards."""

_COMMON = ("handler", "server_secret", "validate_schema", "validate_required_fields")
"""What endpoints that share a spool must agree on: each reads and delivers the others' payloads."""


@dataclass(frozen=True)
class Running:
    """What runs in a process while the spool is open.

    Attributes:
        writer: writes to the spool.
        workers: run the attempts.
    """

    writer: SpoolWriter
    workers: Workers


class _StillOpeningError(StoreError):
    """The spool is not open yet; its opening goes on."""


@dataclass(frozen=True)
class _Opening:
    """The opening of a spool, under way in a thread of its own.

    Attributes:
        progress: what that thread waits for.
        opened: what runs in the end; None if it was closed meanwhile.
        deadline: for how long others wait for it, by `time.monotonic`.
    """

    progress: Progress
    opened: "Future[Running | None]"
    deadline: float


def _halt(running: Running, seconds: float) -> BaseException | None:
    running.writer.halt()
    return running.workers.stop(seconds)


class SpoolRunner:
    """Opens a spool and delivers from it, once in each process that uses it.

    Args:
        context: what the delivery is given of its endpoint.
        durable: how the spool is used.
        handler: the user's handler.
        path: the spool's file, resolved.

    Attributes:
        path: the spool's file.
        running: what runs in this process; None before it is opened, and after it is closed.
        is_closed: whether it was closed, and not opened since.

    Raises:
        StoreError: the file can be seen to be no spool.
    """

    def __init__(
        self, context: DeliveryContext, durable: Durable, handler: ManagedHandler, path: Path
    ) -> None:
        self._context = context
        self._durable = durable
        self._options = context.options
        self._handler = handler
        self.path = path
        self.running: Running | None = None
        check_spool(path)
        self.reset_after_fork()
        reset_in_children(self)
        runners.add(self)

    def reset_after_fork(self) -> None:
        """Leave the threads to the parent."""
        if self.running is not None:
            # Destroying its tasks would run the `finally` blocks of the parent's handlers here.
            leak(self.running)
        self.running = None
        self._lock = threading.Lock()
        self.is_closed = False
        self._error: StoreError | None = None
        self._reopen_at = 0.0
        self._opening: _Opening | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether requests are refused, because another process or the disk is stuck."""
        if (running := self.running) is not None:
            return running.writer.is_stuck
        opening = self._opening
        return opening is not None and time.monotonic() > opening.deadline

    def open(self) -> None:
        """Open the spool and deliver what is in it, also after `close`.

        What takes longer than `OPEN_SECONDS` goes on, and does not keep an app from starting.

        Raises:
            StoreError: the spool cannot be used.
            ConfigurationError: another endpoint of this process uses it differently.
        """
        with self._lock:
            self.is_closed = False
            self._reopen_at = 0.0
        try:
            self.start()
        except _StillOpeningError as error:
            log(logging.ERROR, "spool_failed", "not open yet: %s", error)

    def start(self) -> Running | None:
        """Return what runs in this process, and start it if need be; None after `close`.

        Raises:
            StoreError: the spool cannot be used, or not within `OPEN_SECONDS`.
            ConfigurationError: another endpoint of this process uses it differently.
            RuntimeError: no thread can be started.
        """
        with self._lock:
            if self.running is not None or self.is_closed:
                return self.running
            if self._error is not None and time.monotonic() < self._reopen_at:
                # Each raise adds to the traceback, which holds requests with their bodies.
                raise self._error.with_traceback(None)
            if self._opening is None:
                # Waiting for a lock, or for a disk, may take for ever.
                progress = Progress(self.path)
                opened = start_in_own_thread(self._open, progress)
                self._opening = _Opening(progress, opened, time.monotonic() + OPEN_SECONDS)
            opening = self._opening
        try:
            return opening.opened.result(max(opening.deadline - time.monotonic(), 0.0))
        except TimeoutError:
            raise _StillOpeningError(str(opening.progress.error())) from None

    def _open(self, progress: Progress) -> Running | None:
        try:
            running = self._make(progress)
            with self._lock:
                self._opening = None
                is_closed = self.is_closed  # It may have been closed meanwhile.
                if is_closed:
                    running.writer.halt()
                running.writer.start()
                if not is_closed:
                    self.running = running
                    return running
        except BaseException as error:
            with self._lock:
                self._opening = None
                if isinstance(error, StoreError):
                    self._error = error
                    self._reopen_at = time.monotonic() + REOPEN_SECONDS
            raise
        running.writer.stop()
        return None

    def halt(self, seconds: float) -> None:
        """Start no more attempts, and wait for those that run, for at most so long."""
        if (running := self.running) is not None:
            interrupt = _halt(running, seconds)
            if interrupt is not None:
                raise interrupt

    def close(self, seconds: float) -> None:
        """Halt, and close the spool."""
        with self._lock:
            self.is_closed = True
            running, self.running = self.running, None
        if running is None:
            return
        interrupt = _halt(running, seconds)
        running.writer.stop()
        if interrupt is not None:
            raise interrupt

    def _make(self, progress: Progress) -> Running:
        self._refuse_other_use()
        options = self._options
        durable = self._durable
        attempts = Attempts(self._context, durable, self._handler)
        workers_class, caller = self._choose_workers()
        workers = workers_class(
            partial(attempts.run, caller=caller),
            concurrency=durable.max_concurrency,
            max_jobs=durable.queue_size,
            max_bytes=durable.queue_bytes,
        )
        with progress.step():
            spool = Spool(
                self.path,
                durability=durable.durability,
                ordered=durable.ordered,
                progress=progress,
            )
            try:
                writer = SpoolWriter(
                    spool,
                    workers,
                    attempts.report_evicted,
                    durable,
                    self._context.counters,
                    progress=progress,
                    duplicate_window=options.duplicate_window,
                )
                attempts.writer = writer
            except BaseException as error:
                spool.close()
                if isinstance(error, sqlite3.Error | OSError):
                    raise explain(self.path, error) from error
                raise
        return Running(writer, workers)

    def _choose_workers(self) -> tuple[type[Workers], Caller]:
        callers, handler = self._context.callers, self._options.handler
        if callers.delivers_only_in_drain():
            return DrainWorkers, callers.in_worker
        if callers.in_loop_worker is not None and handler is not None and is_async(handler):
            return LoopWorkers, callers.in_loop_worker
        return ThreadWorkers, callers.in_worker

    def _refuse_other_use(self) -> None:
        for other in list(runners):
            if other is self or other.running is None or other.path != self.path:
                continue
            theirs = other._usage()  # noqa: SLF001  # of this class
            differing = [name for name, value in self._usage().items() if theirs[name] != value]
            if differing:
                raise ConfigurationError(
                    f"spool {self.path} is another endpoint's, which has another "
                    f"{' and another '.join(differing)}: give each a spool of its own"
                )

    def _usage(self) -> dict[str, object]:
        """How the spool's payloads are read and delivered."""
        values = {name: getattr(self._options, name) for name in _COMMON}
        return {**values, "ordered": self._durable.ordered}


runners: "weakref.WeakSet[SpoolRunner]" = weakref.WeakSet()
"""All of this process."""
