"""Completion: a request whose body was read is finished, even if the host cancels it.

Hosts cancel a request when its client leaves, and the page that has sent a beacon is often closed.
Such a request is abandoned: nobody waits for its response, but its payload is delivered.
"""

import asyncio
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any

from unisights._http.body import BodyBuffer
from unisights._http.responses import HTTPResponse
from unisights._runtime import shutdown
from unisights._runtime.ending import TimeLeft
from unisights._runtime.fork import reset_in_children

MAX_ABANDONED = 1000
"""How many abandoned requests may be unfinished. If there are so many, requests are refused."""

MAX_ABANDONED_BYTES = 64 * 1024 * 1024
"""How many bytes their bodies may have in memory. If they have so many, requests are refused."""

_POLL_SECONDS = 0.01
"""How often the end of the process looks whether the requests are finished."""

Responding = Coroutine[Any, Any, HTTPResponse]
"""Decides about a request's body, delivers its payload, and returns the response."""

_running_on = threading.Lock()
"""Is held while an event loop runs on at the end of the process."""


class Completion:
    """Runs what responds to each request in a task of its own, which nobody cancels.

    Attributes:
        defers_signals: whether nothing but a signal will say that the process is about to end.
        drain_timeout: how long such a signal waits for the requests that are unfinished, in
            seconds.
        is_full: whether too many abandoned requests are unfinished.
    """

    name = "unfinished requests"
    defers_signals = True
    drain_timeout = 8.0
    has_to_report = has_to_close = False

    def __init__(self) -> None:
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """The tasks are the parent's."""
        # Event loops refer to their tasks weakly.
        self._tasks: set[asyncio.Task[HTTPResponse]] = set()
        self._abandoned = 0
        self._abandoned_bytes = 0
        self.is_full = False
        self._is_hooked = False

    async def run(self, responding: Responding, body: BodyBuffer) -> HTTPResponse:
        """Run what responds to a request, to its end.

        Args:
            responding: responds to it.
            body: the request's body.
        """
        task = _start(responding)
        if task.done():
            return task.result()
        if self.defers_signals and not self._is_hooked:
            self._is_hooked = True
            shutdown.drain_at_signal(self)
            shutdown.close_at_exit(self)
        self._tasks.add(task)
        ended = task.get_loop().create_future()

        def end(_task: object) -> None:
            self._tasks.discard(task)
            if not ended.cancelled():
                ended.set_result(None)

        task.add_done_callback(end)
        try:
            await ended  # `asyncio.shield` does the same, and takes longer.
        except asyncio.CancelledError:
            if not task.done():
                self._abandon(task, body.weight)
            raise
        return task.result()

    def _abandon(self, task: asyncio.Task[HTTPResponse], size: int) -> None:
        self._count(1, size)
        task.add_done_callback(lambda _task: self._count(-1, -size))

    def _count(self, requests: int, size: int) -> None:
        self._abandoned += requests
        self._abandoned_bytes += size
        self.is_full = (
            self._abandoned >= MAX_ABANDONED or self._abandoned_bytes >= MAX_ABANDONED_BYTES
        )

    async def wait(self, seconds: float) -> None:
        """Wait until the requests of this event loop are finished, for at most so long."""
        loop = asyncio.get_running_loop()
        if tasks := [task for task in self._tasks if task.get_loop() is loop]:
            await asyncio.wait(tasks, timeout=seconds)

    def leave(self) -> None:
        """Take no part in the end of the process any more, until the next request."""
        shutdown.leave(self)
        self._is_hooked = False

    # The end of the process, where no lifespan says that the app ends. Some servers let our handler
    # of the signal delay it; of others, the event loop stops first, and can be run once more.

    def drain_at_signal(self, left: TimeLeft) -> None:
        """Wait for the requests that are unfinished now, for at most so long. Blocks."""
        unfinished = self._tasks.copy()
        deadline = time.monotonic() + left.drain
        while not all(task.done() for task in unfinished) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def close(self, left: TimeLeft) -> None:
        """Run event loops that have stopped until the requests are finished. Blocks."""
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[asyncio.Task[Any]]] = defaultdict(list)
        for task in self._tasks:
            by_loop[task.get_loop()].append(task)
        for loop, tasks in by_loop.items():
            with _running_on:  # Other endpoints may have tasks on the same loop.
                if not loop.is_running() and not loop.is_closed():
                    loop.run_until_complete(asyncio.wait(tasks, timeout=left.drain))

    def finish(self, left: TimeLeft) -> None:
        """Do nothing."""


def _start(responding: Responding) -> asyncio.Task[HTTPResponse]:
    """Start a task; where Python can, it runs at once until it waits for the first time."""
    loop = asyncio.get_running_loop()
    if sys.version_info < (3, 12):
        return loop.create_task(responding)
    return asyncio.Task(responding, loop=loop, eager_start=True)
