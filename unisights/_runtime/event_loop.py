"""The process's event loop, for async handlers whose framework has no loop for them.

Clients that handlers share, such as an HTTP client, belong to the loop on which they were first
used. So a process has one such loop. It starts when it is first needed, which is after a server
has forked its workers, and runs as long as the process.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from unisights._runtime.fork import reset_in_children


class LoopThread:
    """An event loop that runs in a daemon thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="unisights-loop", daemon=True).start()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop itself."""
        return self._loop

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Await something on the loop; to be called from another thread."""
        return asyncio.run_coroutine_threadsafe(_await(awaitable), self._loop).result()

    async def run_async(self, awaitable: Awaitable[Any]) -> Any:
        """Await something on the loop; to be called on another loop."""
        future = asyncio.run_coroutine_threadsafe(_await(awaitable), self._loop)
        return await asyncio.wrap_future(future)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on the loop, soon."""
        self._loop.call_soon_threadsafe(function, *arguments)


async def _await(awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except (SystemExit, KeyboardInterrupt) as error:
        # They would end the loop, for everyone.
        raise as_exception(error) from error


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread; None if none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def as_exception(error: BaseException) -> Exception:
    """Return an `Exception`: the error itself, or one that names it, such as for `sys.exit()`."""
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


class _SharedLoop:
    """Starts the process's loop once, in each process."""

    def __init__(self) -> None:
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        # Threads do not cross a fork, and another thread may have held the lock.
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None

    def get(self) -> LoopThread:
        with self._lock:
            if self._thread is None:
                self._thread = LoopThread()
            return self._thread


_shared = _SharedLoop()


def shared_loop() -> LoopThread:
    """Return the process's loop, and start it if it does not run yet."""
    return _shared.get()
