"""Who works through what a process holds of the spool, in memory and bounded."""

import asyncio
import logging
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from unisights._runtime.event_loop import shared_loop
from unisights._runtime.log import log
from unisights._spool.store import Row
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


class Workers(ABC):
    """A bounded number of jobs, some of which run at once.

    Args:
        concurrency: how many jobs run at once.
        max_jobs: how many jobs may be here, waiting or running.
        max_bytes: how many bytes of them; one job alone may have more.
    """

    def __init__(self, *, concurrency: int, max_jobs: int, max_bytes: int) -> None:
        self._concurrency = concurrency
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._held = 0
        self._bytes = 0
        self._running: set[int] = set()
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

    def add(self, jobs: Sequence[Job]) -> None:
        """Take jobs; the caller has seen that there is room. If it raises, none of them runs."""
        size = sum(job.size for job in jobs)
        with self._changed:
            self._held += len(jobs)
            self._bytes += size
        try:
            self._queue(jobs)
        except BaseException:
            with self._changed:
                self._held -= len(jobs)
                self._bytes -= size
            raise

    @abstractmethod
    def _queue(self, jobs: Sequence[Job]) -> None:
        """Let jobs run, as soon as fewer are running."""

    def keep_running(self) -> None:  # noqa: B027  # only threads can be hard to get
        """Start a thread if there is work and none could be had before."""

    def halt(self) -> list[int]:
        """Start no more jobs; the numbers of those that run."""
        with self._changed:
            self._is_stopped = True
            return list(self._running)

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
        return interrupt

    def _begin(self, job: Job) -> bool:
        """Whether a job may begin."""
        with self._changed:
            if not self._is_stopped:
                self._running.add(job.id)
            return not self._is_stopped

    def _end(self, job: Job) -> None:
        with self._changed:
            self._running.discard(job.id)
            self._held -= 1
            self._bytes -= job.size
            if self._is_stopped:
                self._changed.notify_all()


class ThreadWorkers(Workers):
    """Runs jobs in threads, which start when they are first needed.

    Args:
        run: does a job.
        bounds: those of `Workers`.
    """

    def __init__(self, run: Callable[[Job], None], **bounds: int) -> None:
        super().__init__(**bounds)
        self._run = run
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = 0

    def _queue(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._waiting.put(job)
        self._start(min(self._concurrency, self._held) - self._threads)

    def keep_running(self) -> None:
        """Start a thread if there is work and none could be had before."""
        if self._held and not self._threads:
            self._start(1)

    def stop(self, seconds: float) -> BaseException | None:
        """Start no more jobs, and wait for those that run, at most so long."""
        interrupt = super().stop(seconds)
        for _ in range(self._threads):
            self._waiting.put(None)
        return interrupt

    def _start(self, count: int) -> None:
        for _ in range(count):
            try:
                threading.Thread(target=self._work, name="unisights-worker", daemon=True).start()
            except RuntimeError:
                return  # No more are to be had. Those that run will do, or a later one.
            self._threads += 1

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None and self._begin(job):
            try:
                self._run(job)
            except BaseException as error:  # noqa: BLE001  # a thread outlives whatever is raised
                _log_failure(error)
            finally:
                self._end(job)


class LoopWorkers(Workers):
    """Runs jobs as tasks on the process's event loop: for async handlers, with no threads between.

    Args:
        run: does a job.
        bounds: those of `Workers`.
    """

    def __init__(self, run: Callable[[Job], Awaitable[None]], **bounds: int) -> None:
        super().__init__(**bounds)
        self._run = run
        # The following belong to the loop.
        self._waiting: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself refers to them weakly
        self._active = 0

    def _queue(self, jobs: Sequence[Job]) -> None:
        shared_loop().call(self._start, jobs)

    def _start(self, jobs: Sequence[Job]) -> None:
        self._waiting.extend(jobs)
        for _ in range(min(len(self._waiting), self._concurrency - self._active)):
            self._active += 1
            task = asyncio.ensure_future(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        try:
            while self._waiting:
                job = self._waiting.popleft()
                if not self._begin(job):
                    return
                try:
                    await self._run(job)
                except Exception as error:  # noqa: BLE001  # as a thread does
                    _log_failure(error)
                finally:
                    self._end(job)
                # A handler that never waits must not keep the others from their turn.
                await asyncio.sleep(0)
        finally:
            # At once: a task whose end has yet to be told would be counted on.
            self._active -= 1


def _log_failure(error: BaseException) -> None:
    log(logging.ERROR, "job_failed", "what became of a payload was not told", error=error)
