"""Latches: a request waits until another thread opens its latch, in a thread or on a loop."""

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterable


class ThreadLatch:
    """A latch for which a thread waits: `wait` blocks, and never suspends."""

    __slots__ = ("_is_open",)

    def __init__(self) -> None:
        self._is_open = threading.Event()

    async def wait(self, seconds: float) -> bool:
        """Block until it is open, at most so long; return whether it is open."""
        return self._is_open.wait(seconds)

    def open(self) -> None:
        """Let the thread go on."""
        self._is_open.set()


class LoopLatch:
    """A latch for which a task waits, on the loop that runs when the latch is made."""

    __slots__ = ("_future", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._future: asyncio.Future[bool] = self.loop.create_future()

    async def wait(self, seconds: float) -> bool:
        """Wait until it is open, at most so long; return whether it is open."""
        limit = self.loop.call_later(seconds, self._end, False)  # noqa: FBT003  # positional here
        try:
            return await self._future
        finally:
            limit.cancel()

    def open(self) -> None:
        """Let the task go on; to be called on its loop."""
        self._end(True)  # noqa: FBT003  # as for `call_later`

    def _end(self, is_open: bool) -> None:  # noqa: FBT001  # `call_later` passes no names
        if not self._future.done():  # Else, its request was cancelled, or does not wait any longer.
            self._future.set_result(is_open)


Latch = ThreadLatch | LoopLatch
"""Is opened once, by `open_all` from any thread, and waited for by one request."""


def open_all(latches: Iterable[Latch]) -> None:
    """Open latches from any thread, with one call for each event loop."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[LoopLatch]] = defaultdict(list)
    for latch in latches:
        if isinstance(latch, LoopLatch):
            by_loop[latch.loop].append(latch)
        else:
            latch.open()
    for loop, theirs in by_loop.items():
        # A loop that has been closed has no requests any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_open_each, theirs)


def _open_each(latches: list[LoopLatch]) -> None:
    for latch in latches:
        latch.open()
