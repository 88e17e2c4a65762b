"""The bounded queue of background delivery, and the threads that work it off.

Threads start with the first payload, so that a server may fork before. They end when the queue is
closed, or when there has been nothing to do for a while. Each process has its own queue and
threads. A queue that only a drain works off has none.
"""

import contextlib
import enum
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from unisights._runtime.callers import IN_THREAD, Caller
from unisights._runtime.ending import REPORT_SECONDS
from unisights._runtime.event_loop import as_exception
from unisights._runtime.fork import reset_in_children
from unisights._runtime.log import log
from unisights.errors import UndeliveredError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

IDLE_SECONDS = 5.0
"""A thread that has had nothing to do for so long ends, in seconds. Apps that are no longer used,
such as those of a test run, hold none."""


class Submitted(enum.Enum):
    """What became of a payload that was submitted."""

    QUEUED = enum.auto()
    DUPLICATE = enum.auto()
    FULL = enum.auto()
    CLOSED = enum.auto()


@dataclass(frozen=True, slots=True, eq=False)
class QueuedPayload:
    """One payload to be handled.

    Attributes:
        payload: the payload.
        info: its request.
        caller: calls the user's functions for it.
    """

    payload: UnisightsPayload
    info: RequestInfo
    caller: Caller = IN_THREAD

    @property
    def size(self) -> int:
        """What the payload weighs, in bytes as received."""
        return len(self.payload.raw)


_Waiting = queue.SimpleQueue[QueuedPayload | None]
"""What waits for a thread; None tells a thread to end."""


class WorkQueue:
    """A bounded queue with threads that start when they are first needed, in each process.

    Args:
        run: handles a payload, in one of the threads.
        fail: is called with a payload that was not handled, and why: what `run` raised, or
            UndeliveredError if the queue was closed before `run` had returned.
        max_payloads: how many payloads may wait or run.
        max_bytes: how many bytes of payloads may wait or run; one payload alone may have more.
        workers: how many payloads run at once.
        only_in_drain: whether no thread starts, so that payloads wait for `drain`, which then
            works them off itself; asked for each payload.
        get_name: what the log names the queue by.

    Attributes:
        is_closed: whether no payloads are accepted.
    """

    is_closed: bool

    def __init__(
        self,
        run: Callable[[QueuedPayload], None],
        fail: Callable[[QueuedPayload, Exception], None],
        *,
        max_payloads: int,
        max_bytes: int,
        workers: int,
        only_in_drain: Callable[[], bool] = lambda: False,
        get_name: Callable[[], str] = lambda: "the queue",
    ) -> None:
        self._get_name = get_name
        self._only_in_drain = only_in_drain
        self._run = run
        self._fail = fail
        self._max_payloads = max_payloads
        self._max_bytes = max_bytes
        self._workers = workers
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Begin anew: the payloads and threads are the parent's."""
        self._changed = threading.Condition()
        self._waiting: _Waiting = queue.SimpleQueue()
        self._open: dict[QueuedPayload, int] = {}  # by their numbers, in ascending order
        self._submitted = 0
        self._failing: set[QueuedPayload] = set()
        self._bytes = 0
        self._threads = 0
        self.is_closed = False

    @property
    def held(self) -> tuple[int, int]:
        """How many payloads wait or run, and how many bytes of them."""
        return len(self._open), self._bytes

    @property
    def is_full(self) -> bool:
        """Whether there is no room for any payload."""
        return len(self._open) >= self._max_payloads or self._bytes >= self._max_bytes

    def submit(self, queued: QueuedPayload) -> Submitted:
        """Queue a payload, if there is room."""
        with self._changed:
            if self.is_closed:
                return Submitted.CLOSED
            size = queued.size
            is_full = len(self._open) >= self._max_payloads or (
                self._open and self._bytes + size > self._max_bytes
            )
            if is_full:
                return Submitted.FULL
            self._submitted += 1
            self._open[queued] = self._submitted
            self._bytes += size
            self._waiting.put(queued)
            starts = self._threads < min(self._workers, len(self._open))
            starts = starts and not self._only_in_drain()
            self._threads += starts
            waiting = self._waiting
        return self._start(queued, waiting) if starts else Submitted.QUEUED

    def _start(self, queued: QueuedPayload, waiting: _Waiting) -> Submitted:
        work = threading.Thread(
            target=self._work, args=(waiting,), name="unisights-worker", daemon=True
        )
        try:
            work.start()
        except RuntimeError:
            # There are no more threads. If one runs already, it will do.
            with self._changed:
                self._threads -= 1
                if self._threads:
                    return Submitted.QUEUED
            self._finish(queued)
            return Submitted.FULL
        return Submitted.QUEUED

    def open(self) -> None:
        """Accept payloads, also after `close`."""
        with self._changed:
            self.is_closed = False

    def drain(self, seconds: float) -> bool:
        """Wait for at most so long for what waits or runs now; return whether all of it has ended.

        Payloads are accepted meanwhile, and not waited for.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            last = self._submitted
            waiting = None if self._threads else self._waiting
        if waiting is not None:
            self._work_off(waiting, deadline)

        def has_ended() -> bool:
            return next(iter(self._open.values()), last + 1) > last

        with self._changed:
            interrupt = self._wait_until(has_ended, deadline - time.monotonic())
            if interrupt is not None:
                raise interrupt
            return has_ended()

    def close(self, seconds: float, report_seconds: float = REPORT_SECONDS) -> None:
        """Accept no more payloads, wait for at most so long, report what is left, end the threads.

        What still waits or runs then is passed to `fail`. Servers may interrupt the wait with more
        signals: it goes on, and the interrupt is raised at its end. What only a drain was to handle
        is dropped.

        Args:
            seconds: how long to wait for what waits or runs.
            report_seconds: how long to wait for `fail` afterwards. Its calls go on after that, as
                long as the process does.
        """
        with self._changed:
            self.is_closed = True
            if self._only_in_drain():
                self._open.clear()
                self._bytes = 0
            if self._open:
                count = len(self._open)
                message = "%s: payloads to be handled before the end: %d"
                name = self._get_name()
                log(logging.INFO, "draining", message, name, count, count=count, endpoint=name)
            interrupt = self._wait_until(lambda: not self._open, seconds)
        interrupt = self._report_rest(report_seconds) or interrupt
        self._end_threads()
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

    def _report_rest(self, seconds: float) -> BaseException | None:
        with self._changed:
            rest = [queued for queued in self._open if queued not in self._failing]
            self._open.clear()
            self._bytes = 0
        if not rest:
            return None
        count = len(rest)
        message = "%s: payloads that were not handled before the end: %d"
        name = self._get_name()
        log(logging.ERROR, "undelivered", message, name, count, count=count, endpoint=name)
        # What `fail` calls may hang, and must not keep the process from ending.
        reporter = threading.Thread(target=self._report, args=(rest,), daemon=True)
        try:
            reporter.start()
        except RuntimeError:
            self._report(rest)
        with self._changed:
            interrupt = self._wait_until(lambda: not rest, seconds)
            if rest:
                message = "%s: on_error has not ended in time"
                log(logging.ERROR, "on_error_failed", message, name, endpoint=name)
            return interrupt

    def _end_threads(self) -> None:
        """Let each thread end when it is idle; what comes after `open` has other threads."""
        with self._changed:
            for _ in range(self._threads):
                self._waiting.put(None)
            self._threads = 0
            self._waiting = queue.SimpleQueue()

    def _report(self, rest: list[QueuedPayload]) -> None:
        for queued in rest.copy():
            self._fail_safely(queued, UndeliveredError("the process ended before it was handled"))
        with self._changed:
            rest.clear()
            self._changed.notify_all()

    def _fail_safely(self, queued: QueuedPayload, error: Exception) -> None:
        try:
            self._fail(queued, error)
        except BaseException as raised:  # noqa: BLE001  # a worker outlives whatever is raised
            log(logging.ERROR, "on_error_failed", "a failure could not be reported", error=raised)

    def _work(self, waiting: _Waiting) -> None:
        while True:
            try:
                queued = waiting.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if self._ends_idle(waiting):
                    return
            else:
                if queued is None:
                    return
                self._work_on(queued)

    def _ends_idle(self, waiting: _Waiting) -> bool:
        """Whether an idle thread ends; another one starts when it is needed."""
        with self._changed:
            ends = waiting.empty()
            if ends and waiting is self._waiting:
                self._threads -= 1
            return ends

    def _work_off(self, waiting: _Waiting, deadline: float) -> None:
        """Handle the payloads that wait now, in this thread; begin none after the deadline."""
        with contextlib.suppress(queue.Empty):
            for _ in range(waiting.qsize()):
                if time.monotonic() >= deadline:
                    return
                if (queued := waiting.get_nowait()) is not None:
                    self._work_on(queued)

    def _work_on(self, queued: QueuedPayload) -> None:
        if self._is_open(queued):
            self._handle(queued)
            self._finish(queued)

    def _handle(self, queued: QueuedPayload) -> None:
        try:
            self._run(queued)
        except BaseException as error:  # noqa: BLE001  # a worker outlives whatever is raised
            with self._changed:
                if queued not in self._open:
                    return  # It has been reported meanwhile: once is enough.
                self._failing.add(queued)
            self._fail_safely(queued, as_exception(error))

    def _is_open(self, queued: QueuedPayload) -> bool:
        with self._changed:
            return queued in self._open

    def _finish(self, queued: QueuedPayload) -> None:
        with self._changed:
            self._failing.discard(queued)
            if self._open.pop(queued, None) is not None:
                self._bytes -= queued.size
            self._changed.notify_all()
