"""The bounded queue of background delivery, and the threads that work it off.

Nothing runs until the first payload comes, so that a server may fork in between. Each process
that receives has its own queue and threads.
"""

import enum
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from unisights._runtime.event_loop import as_exception
from unisights._runtime.log import log
from unisights._runtime.shutdown import before_exit, hold_signals
from unisights.errors import UndeliveredError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

REPORT_SECONDS = 5.0
"""How long it may take at the end to hand on what was not handled."""


class Submitted(enum.Enum):
    """What became of a queued that was submitted."""

    QUEUED = enum.auto()
    DUPLICATE = enum.auto()
    FULL = enum.auto()
    CLOSED = enum.auto()


@dataclass(frozen=True, slots=True, eq=False)
class QueuedPayload:
    """One payload to be handled."""

    payload: UnisightsPayload
    info: RequestInfo

    @property
    def size(self) -> int:
        """What the payload weighs, in bytes as received."""
        return len(self.payload.raw)


class WorkQueue:
    """A bounded queue with threads that start when they are first needed, in each process.

    Args:
        run: handles a queued, in one of the threads.
        fail: gets a queued that was not handled, and why: what `run` raised, or UndeliveredError
            when the queue closed before it was done.
        max_payloads: how many payloads may wait or run.
        max_bytes: how many bytes of payloads may wait or run; one queued alone may have more.
        workers: how many payloads run at once.
        drain_timeout: how long closing may wait for payloads, in seconds.
    """

    def __init__(
        self,
        run: Callable[[QueuedPayload], None],
        fail: Callable[[QueuedPayload, Exception], None],
        *,
        max_payloads: int,
        max_bytes: int,
        workers: int,
        drain_timeout: float,
    ) -> None:
        self._run = run
        self._fail = fail
        self._max_payloads = max_payloads
        self._max_bytes = max_bytes
        self._workers = workers
        self._drain_timeout = drain_timeout
        self.reset()
        _queues.add(self)

    def reset(self) -> None:
        """Begin anew: in a forked child, the parent's payloads are the parent's to do."""
        self._changed = threading.Condition()
        self._waiting: queue.SimpleQueue[QueuedPayload] = queue.SimpleQueue()
        self._open: dict[int, QueuedPayload] = {}
        self._failing: set[QueuedPayload] = set()
        self._bytes = 0
        self._threads = 0
        self._is_hooked = False
        self._is_holding = False
        self._is_closed = False

    @property
    def held(self) -> tuple[int, int]:
        """How many payloads wait or run, and how many bytes of them."""
        return len(self._open), self._bytes

    def submit(self, queued: QueuedPayload, *, holds_signals: bool = False) -> Submitted:
        """Queue a queued, if there is room.

        Args:
            queued: what is to be handled.
            holds_signals: drain before the server hears of SIGTERM, from the first queued that
                comes in the main thread on.
        """
        with self._changed:
            if self._is_closed:
                return Submitted.CLOSED
            size = queued.size
            is_full = len(self._open) >= self._max_payloads or (
                self._open and self._bytes + size > self._max_bytes
            )
            if is_full:
                return Submitted.FULL
            self._open[id(queued)] = queued
            self._bytes += size
            self._waiting.put(queued)
            starts = self._threads < min(self._workers, len(self._open))
            self._threads += starts
            hooks = not self._is_hooked
            self._is_hooked = True
        if hooks:
            before_exit(self.close)
            if not self._is_holding:
                hold_signals(self.close, only_unhandled=not holds_signals)
        return self._start(queued) if starts else Submitted.QUEUED

    def _start(self, queued: QueuedPayload) -> Submitted:
        try:
            threading.Thread(target=self._work, name="unisights-worker", daemon=True).start()
        except RuntimeError:
            # No more threads are to be had. One that runs already will do.
            with self._changed:
                self._threads -= 1
                if self._threads:
                    return Submitted.QUEUED
            self._finish(queued)
            return Submitted.FULL
        return Submitted.QUEUED

    def hold_signals(self) -> None:
        """Drain before the server hears of SIGTERM; for the main thread, once a process."""
        if not self._is_holding:
            self._is_holding = True
            hold_signals(self.close)

    def open(self) -> None:
        """Take payloads again after having been closed."""
        with self._changed:
            self._is_closed = False

    def close(self) -> None:
        """Take no more payloads, wait for those that are there, give up those that do not end.

        What is given up is given to `fail`, which may take at most `REPORT_SECONDS`. Servers
        interrupt the wait with more signals: it goes on, and the interrupt is raised at its end.
        """
        with self._changed:
            self._is_closed = True
            if self._open:
                count = len(self._open)
                message = "waiting for %d payloads to be handled"
                log(logging.INFO, "draining", message, count, count=count)
            interrupt = self._wait_until(lambda: not self._open, self._drain_timeout)
        interrupt = self._give_up() or interrupt
        if interrupt is not None:
            raise interrupt

    def _wait_until(self, is_met: Callable[[], bool], seconds: float) -> BaseException | None:
        """Wait for a change, at most so long, and return what interrupted the wait."""
        interrupt: BaseException | None = None
        deadline = time.monotonic() + seconds
        while not is_met() and (left := deadline - time.monotonic()) > 0:
            try:
                self._changed.wait(left)
            except (SystemExit, KeyboardInterrupt) as error:
                interrupt = error
        return interrupt

    def _give_up(self) -> BaseException | None:
        with self._changed:
            abandoned = [queued for queued in self._open.values() if queued not in self._failing]
            self._open.clear()
            self._bytes = 0
        if not abandoned:
            return None
        count = len(abandoned)
        message = "%d payloads were not handled before the end"
        log(logging.ERROR, "undelivered", message, count, count=count)
        # What is called may hang: the end of the process must not.
        reporter = threading.Thread(target=self._report, args=(abandoned,), daemon=True)
        try:
            reporter.start()
        except RuntimeError:
            self._report(abandoned)
        with self._changed:
            return self._wait_until(lambda: not abandoned, REPORT_SECONDS)

    def _report(self, abandoned: list[QueuedPayload]) -> None:
        for queued in abandoned.copy():
            self._fail_safely(queued, UndeliveredError("the process ended before it was handled"))
        with self._changed:
            abandoned.clear()
            self._changed.notify_all()

    def _fail_safely(self, queued: QueuedPayload, error: Exception) -> None:
        try:
            self._fail(queued, error)
        except BaseException as raised:  # noqa: BLE001  # a worker outlives whatever is raised
            log(logging.ERROR, "on_error_failed", "a failure could not be reported", error=raised)

    def _work(self) -> None:
        while True:
            queued = self._waiting.get()
            if self._is_open(queued):
                self._handle(queued)
                self._finish(queued)

    def _handle(self, queued: QueuedPayload) -> None:
        try:
            self._run(queued)
        except BaseException as error:  # noqa: BLE001  # a worker outlives whatever is raised
            with self._changed:
                if id(queued) not in self._open:
                    return  # It was given up meanwhile: once is enough.
                self._failing.add(queued)
            self._fail_safely(queued, as_exception(error))

    def _is_open(self, queued: QueuedPayload) -> bool:
        with self._changed:
            return id(queued) in self._open

    def _finish(self, queued: QueuedPayload) -> None:
        with self._changed:
            self._failing.discard(queued)
            if self._open.pop(id(queued), None) is not None:
                self._bytes -= queued.size
            self._changed.notify_all()


_queues: "weakref.WeakSet[WorkQueue]" = weakref.WeakSet()


def _reset_all() -> None:
    for work_queue in _queues:
        work_queue.reset()


os.register_at_fork(after_in_child=_reset_all)
