"""One event loop for async handlers, where the framework has none of its own.

Clients that handlers share, such as one HTTP client, belong to the loop that they first ran on.
So there is one loop in a process, it lives as long as the process, and it starts when it is first
needed: after a server has forked its workers, not before.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any


class LoopThread:
    """An event loop that runs in a daemon thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="unisights-loop", daemon=True).start()

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Await something on the loop; to be called from another thread."""
        return asyncio.run_coroutine_threadsafe(_await(awaitable), self._loop).result()

    async def run_async(self, awaitable: Awaitable[Any]) -> Any:
        """Await something on the loop; to be called on another loop."""
        future = asyncio.run_coroutine_threadsafe(_await(awaitable), self._loop)
        return await asyncio.wrap_future(future)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call something on the loop, soon."""
        self._loop.call_soon_threadsafe(function, *arguments)


async def _await(awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except (SystemExit, KeyboardInterrupt) as error:
        # They would end the loop, for everyone.
        raise as_exception(error) from error


def as_exception(error: BaseException) -> Exception:
    """An ordinary exception for what is none, such as `sys.exit()` in a handler."""
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


_lock = threading.Lock()
_shared: LoopThread | None = None


def shared_loop() -> LoopThread:
    """The process's loop; started if it is not running yet."""
    global _shared  # noqa: PLW0603  # one for the process is the point
    with _lock:
        if _shared is None:
            _shared = LoopThread()
        return _shared


def _forget() -> None:
    """In a forked child: threads do not cross a fork, and the lock may have been held."""
    global _lock, _shared  # noqa: PLW0603
    _lock = threading.Lock()
    _shared = None


os.register_at_fork(after_in_child=_forget)
