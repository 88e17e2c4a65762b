"""The threads that work through what a process holds of the spool, in memory and bounded."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from unisights._spool import Row
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload


@dataclass(slots=True, eq=False)
class Job:
    """One payload of the spool, owned by this process.

    Attributes:
        id: its number in the spool.
        attempts: how often its delivery has failed.
        age: how long it had been waiting when it became this process's, in seconds.
        size: what it weighs, in bytes.
        payload, info: what the handler gets, if it has not been decoded yet: None.
        row: what to decode them from, if so.
    """

    id: int
    attempts: int
    age: float
    size: int
    payload: UnisightsPayload | None = None
    info: RequestInfo | None = None
    row: Row | None = None


class Workers:
    """A bounded number of jobs, and threads that start when they are first needed.

    Args:
        run: does a job, in one of the threads.
        threads: how many jobs run at once.
        max_jobs: how many jobs may be here, waiting or running.
        max_bytes: how many bytes of them; one job alone may have more.
    """

    def __init__(
        self, run: Callable[[Job], None], *, threads: int, max_jobs: int, max_bytes: int
    ) -> None:
        self._run = run
        self._limit = threads
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = 0
        self._held = 0
        self._bytes = 0
        self._running = 0
        self._is_stopped = False

    @property
    def room(self) -> tuple[int, int]:
        """How many more jobs, and how many bytes of them, may be added."""
        bytes_left = self._max_bytes - self._bytes
        return self._max_jobs - self._held, bytes_left if self._held else max(bytes_left, 1)

    @property
    def is_half_empty(self) -> bool:
        """Whether it is time to fetch more."""
        return 2 * self._held <= self._max_jobs and 2 * self._bytes <= self._max_bytes

    def add(self, job: Job) -> None:
        """Take a job; the caller has seen that there is room."""
        with self._changed:
            self._held += 1
            self._bytes += job.size
            self._waiting.put(job)
            starts = self._threads < min(self._limit, self._held)
            self._threads += starts
        if starts:
            self._start()

    def keep_running(self) -> None:
        """Start a thread if there is work and none could be had before."""
        with self._changed:
            starts = bool(self._held) and not self._threads
            self._threads += starts
        if starts:
            self._start()

    def stop(self, seconds: float) -> BaseException | None:
        """Start no more jobs, and wait for those that run, at most so long.

        Servers interrupt the wait with more signals: it goes on, and what interrupted it is
        returned, to be raised at the end.
        """
        interrupt: BaseException | None = None
        deadline = time.monotonic() + seconds
        with self._changed:
            self._is_stopped = True
            while self._running and (left := deadline - time.monotonic()) > 0:
                try:
                    self._changed.wait(left)
                except (SystemExit, KeyboardInterrupt) as error:
                    interrupt = error
            for _ in range(self._threads):
                self._waiting.put(None)
        return interrupt

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="unisights-worker", daemon=True).start()
        except RuntimeError:
            # No more threads are to be had. Those that run will do, or a later one.
            with self._changed:
                self._threads -= 1

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            with self._changed:
                if self._is_stopped:
                    return
                self._running += 1
            try:
                self._run(job)
            finally:
                with self._changed:
                    self._running -= 1
                    self._held -= 1
                    self._bytes -= job.size
                    if self._is_stopped:
                        self._changed.notify_all()
