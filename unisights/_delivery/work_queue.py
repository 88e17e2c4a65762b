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


class Outcome(enum.Enum):
    """What became of a job that was submitted."""

    QUEUED = enum.auto()
    DUPLICATE = enum.auto()
    FULL = enum.auto()
    CLOSED = enum.auto()


@dataclass(frozen=True, slots=True, eq=False)
class Job:
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
        run: handles a job, in one of the threads.
        fail: gets a job that was not handled, and why: what `run` raised, or UndeliveredError
            when the queue closed before it was done.
        max_jobs: how many jobs may wait or run.
        max_bytes: how many bytes of jobs may wait or run; one job alone may have more.
        workers: how many jobs run at once.
        drain_timeout: how long closing may wait for jobs, in seconds.
    """

    def __init__(
        self,
        run: Callable[[Job], None],
        fail: Callable[[Job, Exception], None],
        *,
        max_jobs: int,
        max_bytes: int,
        workers: int,
        drain_timeout: float,
    ) -> None:
        self._run = run
        self._fail = fail
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._workers = workers
        self._drain_timeout = drain_timeout
        self.reset()
        _queues.add(self)

    def reset(self) -> None:
        """Begin anew: in a forked child, the parent's jobs are the parent's to do."""
        self._changed = threading.Condition()
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._open_jobs: dict[int, Job] = {}
        self._failing: set[Job] = set()
        self._bytes = 0
        self._threads = 0
        self._is_hooked = False
        self._is_holding = False
        self._is_closed = False

    @property
    def held(self) -> tuple[int, int]:
        """How many jobs wait or run, and how many bytes of them."""
        return len(self._open_jobs), self._bytes

    def submit(self, job: Job, *, holds_signals: bool = False) -> Outcome:
        """Queue a job, if there is room.

        Args:
            job: what is to be handled.
            holds_signals: drain before the server hears of SIGTERM, from the first job that
                comes in the main thread on.
        """
        with self._changed:
            if self._is_closed:
                return Outcome.CLOSED
            size = job.size
            is_full = len(self._open_jobs) >= self._max_jobs or (
                self._open_jobs and self._bytes + size > self._max_bytes
            )
            if is_full:
                return Outcome.FULL
            self._open_jobs[id(job)] = job
            self._bytes += size
            self._waiting.put(job)
            starts = self._threads < min(self._workers, len(self._open_jobs))
            self._threads += starts
            hooks = not self._is_hooked
            self._is_hooked = True
        if hooks:
            before_exit(self.close)
            if not self._is_holding:
                hold_signals(self.close, only_unhandled=not holds_signals)
        return self._start(job) if starts else Outcome.QUEUED

    def _start(self, job: Job) -> Outcome:
        try:
            threading.Thread(target=self._work, name="unisights-worker", daemon=True).start()
        except RuntimeError:
            # No more threads are to be had. One that runs already will do.
            with self._changed:
                self._threads -= 1
                if self._threads:
                    return Outcome.QUEUED
            self._finish(job)
            return Outcome.FULL
        return Outcome.QUEUED

    def hold_signals(self) -> None:
        """Drain before the server hears of SIGTERM; for the main thread, once a process."""
        if not self._is_holding:
            self._is_holding = True
            hold_signals(self.close)

    def open(self) -> None:
        """Take jobs again after having been closed."""
        with self._changed:
            self._is_closed = False

    def close(self) -> None:
        """Take no more jobs, wait for those that are there, give up those that do not end.

        What is given up is given to `fail`, which may take at most `REPORT_SECONDS`. Servers
        interrupt the wait with more signals: it goes on, and the interrupt is raised at its end.
        """
        with self._changed:
            self._is_closed = True
            if self._open_jobs:
                count = len(self._open_jobs)
                message = "waiting for %d payloads to be handled"
                log(logging.INFO, "draining", message, count, count=count)
            interrupt = self._wait_until(lambda: not self._open_jobs, self._drain_timeout)
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
            abandoned = [job for job in self._open_jobs.values() if job not in self._failing]
            self._open_jobs.clear()
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

    def _report(self, abandoned: list[Job]) -> None:
        for job in abandoned.copy():
            self._fail_safely(job, UndeliveredError("the process ended before it was handled"))
        with self._changed:
            abandoned.clear()
            self._changed.notify_all()

    def _fail_safely(self, job: Job, error: Exception) -> None:
        try:
            self._fail(job, error)
        except BaseException as raised:  # noqa: BLE001  # a worker outlives whatever is raised
            log(logging.ERROR, "on_error_failed", "a failure could not be reported", error=raised)

    def _work(self) -> None:
        while True:
            job = self._waiting.get()
            if self._is_open(job):
                self._handle(job)
                self._finish(job)

    def _handle(self, job: Job) -> None:
        try:
            self._run(job)
        except BaseException as error:  # noqa: BLE001  # a worker outlives whatever is raised
            with self._changed:
                if id(job) not in self._open_jobs:
                    return  # It was given up meanwhile: once is enough.
                self._failing.add(job)
            self._fail_safely(job, as_exception(error))

    def _is_open(self, job: Job) -> bool:
        with self._changed:
            return id(job) in self._open_jobs

    def _finish(self, job: Job) -> None:
        with self._changed:
            self._failing.discard(job)
            if self._open_jobs.pop(id(job), None) is not None:
                self._bytes -= job.size
            self._changed.notify_all()


_queues: "weakref.WeakSet[WorkQueue]" = weakref.WeakSet()


def _reset_all() -> None:
    for work_queue in _queues:
        work_queue.reset()


os.register_at_fork(after_in_child=_reset_all)
