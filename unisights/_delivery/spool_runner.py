"""What a process runs to deliver from a spool: opened at first use, drained and closed."""

import sqlite3
import threading
import time
import weakref
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unisights._delivery.context import DeliveryContext
from unisights._delivery.handler import ManagedHandler
from unisights._delivery.retry import Attempts
from unisights._runtime.callables import is_async
from unisights._runtime.callers import Caller
from unisights._runtime.fork import leak, reset_in_children
from unisights._spool.files import check_spool, explain
from unisights._spool.store import Spool
from unisights._spool.workers import DrainWorkers, LoopWorkers, ThreadWorkers, Workers
from unisights._spool.writer import SpoolWriter
from unisights.delivery import Durable
from unisights.errors import ConfigurationError, StoreError

REOPEN_SECONDS = 1.0
"""A spool that could not be opened is not tried again for so long."""

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
        """Leave the connection, the locks and the threads to the parent."""
        if self.running is not None:
            self.running.writer.leave_to_parent()
            # To close the connection here would have SQLite act as if it were the parent.
            leak(self.running)
        self.running = None
        self._lock = threading.RLock()
        self.is_closed = False
        self._error: StoreError | None = None
        self._reopen_at = 0.0

    def open(self) -> None:
        """Open the spool and deliver what is in it, also after `close`.

        Raises:
            StoreError: the spool cannot be used.
            ConfigurationError: another endpoint of this process uses it differently.
        """
        with self._lock:
            self.is_closed = False
            self._reopen_at = 0.0
            self.start()

    def start(self) -> Running | None:
        """Return what runs in this process, and start it if need be; None after `close`.

        Raises:
            StoreError: the spool cannot be used.
            ConfigurationError: another endpoint of this process uses it differently.
        """
        with self._lock:
            if self.running is None and not self.is_closed:
                now = time.monotonic()
                if self._error is not None and now < self._reopen_at:
                    # Each raise adds to the traceback, which holds requests with their bodies.
                    raise self._error.with_traceback(None)
                try:
                    self.running = self._start()
                except StoreError as error:
                    self._error = error
                    self._reopen_at = now + REOPEN_SECONDS
                    raise
            return self.running

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

    def _start(self) -> Running:
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
        spool = Spool(self.path, durability=durable.durability, ordered=durable.ordered)
        try:
            writer = SpoolWriter(
                spool,
                workers,
                attempts.report_evicted,
                durable,
                self._context.counters,
                duplicate_window=options.duplicate_window,
            )
            attempts.writer = writer
            writer.start()
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
