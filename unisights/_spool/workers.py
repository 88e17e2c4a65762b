"""The workers that run the jobs of a process: threads, tasks on the process's loop, or drains."""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from unisights._runtime.callers import run_blocking
from unisights._runtime.event_loop import shared_loop
from unisights._runtime.log import log
from unisights._spool.rows import Row
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload


@dataclass(slots=True, eq=False)
class Job:
    """One payload of the spool, owned by this process.

    Attributes:
        id: its number in the spool.
        attempts: the number of attempts that have failed.
        age: how long it had been waiting when it was claimed, in seconds.
        size: its size in the spool, in bytes.
        payload, info: the handler's arguments; None if they have not been decoded yet.
        row: the row from which they are decoded in that case.
    """

    id: int
    attempts: int
    age: float
    size: int
    payload: UnisightsPayload | None = None
    info: RequestInfo | None = None
    row: Row | None = None


_POLL_SECONDS = 0.01
"""How often a drain that has no job to run looks whether it has ended."""

RunJob = Callable[[Job], Coroutine[Any, Any, None]]
"""Runs a job; in a thread, it must not suspend."""


class Workers(ABC):
    """Holds a bounded number of jobs, and runs some of them at once.

    Args:
        run: runs a job.
        concurrency: the greatest number of jobs that run at once.
        max_jobs: the greatest number of jobs that are held, waiting or running.
        max_bytes: the greatest sum of their sizes, in bytes; one job alone may be larger.
    """

    def __init__(self, run: RunJob, *, concurrency: int, max_jobs: int, max_bytes: int) -> None:
        self._run = run
        self._concurrency = concurrency
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._held = 0
        self._bytes = 0
        self._running: set[int] = set()
        self._is_stopped = False

    @property
    def room(self) -> tuple[int, int]:
        """The number of jobs that may be added, and the sum of their sizes in bytes."""
        bytes_left = self._max_bytes - self._bytes
        return self._max_jobs - self._held, bytes_left if self._held else max(bytes_left, 1)

    @property
    def is_half_empty(self) -> bool:
        """Whether it is time to fetch more."""
        return 2 * self._held <= self._max_jobs and 2 * self._bytes <= self._max_bytes

    def add(self, jobs: Sequence[Job]) -> None:
        """Hold jobs, for which there must be room. If it raises, none of them runs."""
        size = sum(job.size for job in jobs)
        with self._condition:
            self._held += len(jobs)
            self._bytes += size
        try:
            self._queue(jobs)
        except BaseException:
            with self._condition:
                self._held -= len(jobs)
                self._bytes -= size
            raise

    @abstractmethod
    def _queue(self, jobs: Sequence[Job]) -> None:
        """Run jobs as soon as fewer are running."""

    def keep_running(self) -> None:  # noqa: B027  # only threads can be missing
        """Start a thread if there are jobs, and none could be started before."""

    def wait(self, ended: threading.Event, seconds: float) -> None:
        """Wait, at most so long, until what is waited for has ended."""
        ended.wait(seconds)

    def halt(self) -> list[int]:
        """Start no more jobs; return the numbers of those that run."""
        with self._condition:
            self._is_stopped = True
            return list(self._running)

    def stop(self, seconds: float) -> BaseException | None:
        """Start no more jobs, and wait for those that run, for at most some seconds.

        Servers may interrupt the wait with more signals. Then it goes on, and the exception of the
        interrupt is returned, for the caller to raise at the end.
        """
        interrupt: BaseException | None = None
        deadline = time.monotonic() + seconds
        with self._condition:
            self._is_stopped = True
            while self._running and (left := deadline - time.monotonic()) > 0:
                try:
                    self._condition.wait(left)
                except (SystemExit, KeyboardInterrupt) as error:
                    interrupt = error
        return interrupt

    def _begin(self, job: Job) -> bool:
        """Mark a job as running, unless they are stopped; return whether it was marked."""
        with self._condition:
            if not self._is_stopped:
                self._running.add(job.id)
            return not self._is_stopped

    async def _do(self, job: Job) -> None:
        try:
            await self._run(job)
        except BaseException as error:  # noqa: BLE001  # a worker outlives whatever is raised
            message = "the outcome of a payload could not be recorded"
            log(logging.ERROR, "job_failed", message, error=error)
        finally:
            self._end(job)

    def _end(self, job: Job) -> None:
        with self._condition:
            self._running.discard(job.id)
            self._held -= 1
            self._bytes -= job.size
            if self._is_stopped:
                self._condition.notify_all()


class ThreadWorkers(Workers):
    """Runs jobs in threads, which start when they are first needed.

    Args:
        run: runs a job.
        bounds: those of `Workers`.
    """

    def __init__(self, run: RunJob, **bounds: int) -> None:
        super().__init__(run, **bounds)
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = 0

    def _queue(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._waiting.put(job)
        self._start(min(self._concurrency, self._held) - self._threads)

    def keep_running(self) -> None:
        """Start a thread if there are jobs, and none could be started before."""
        if self._held and not self._threads:
            self._start(1)

    def stop(self, seconds: float) -> BaseException | None:
        """Start no more jobs, and wait for those that run, for at most some seconds."""
        interrupt = super().stop(seconds)
        for _ in range(self._threads):
            self._waiting.put(None)
        return interrupt

    def _start(self, count: int) -> None:
        for _ in range(count):
            try:
                threading.Thread(target=self._work, name="unisights-worker", daemon=True).start()
            except RuntimeError:
                return  # The running threads will do, or `keep_running` starts one later.
            self._threads += 1

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None and self._begin(job):
            run_blocking(self._do(job))


class LoopWorkers(Workers):
    """Runs jobs as tasks on the process's event loop, for async handlers.

    Args:
        run: runs a job.
        bounds: those of `Workers`.
    """

    def __init__(self, run: RunJob, **bounds: int) -> None:
        super().__init__(run, **bounds)
        # Only the loop's thread uses the following.
        self._waiting: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself refers to tasks weakly
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
                await self._do(job)
                # A handler that never waits must not keep the others from their turn.
                await asyncio.sleep(0)
        finally:
            # Not in the task's callback: until that has run, this task would still be counted.
            self._active -= 1


class DrainWorkers(Workers):
    """Runs jobs only while somebody waits for them, in the thread that waits.

    Args:
        run: runs a job.
        bounds: those of `Workers`.
    """

    def __init__(self, run: RunJob, **bounds: int) -> None:
        super().__init__(run, **bounds)
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()

    def _queue(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._waiting.put(job)

    def wait(self, ended: threading.Event, seconds: float) -> None:
        """Run jobs until what is waited for has ended; begin none when the time is over."""
        deadline = time.monotonic() + seconds
        while not ended.is_set() and (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                job = self._waiting.get(timeout=min(left, _POLL_SECONDS))
                if self._begin(job):
                    run_blocking(self._do(job))
