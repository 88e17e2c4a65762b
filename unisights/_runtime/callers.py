"""The two colours, sync and async: the same code, which calls and waits in another way.

Code that serves both takes a `Caller` and is written once, as coroutines. `ON_LOOP` waits as
coroutines do. With `IN_THREAD` each wait blocks, so such a coroutine never suspends, and
`run_blocking` runs it without an event loop.
"""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from unisights._runtime.calls import call_sync, is_async, start_in_own_thread
from unisights._runtime.event_loop import shared_loop
from unisights._runtime.latches import Latch, LoopLatch, ThreadLatch

Result = TypeVar("Result")


class Caller(ABC):
    """Calls functions and waits, in the way of the code that it is given to."""

    @abstractmethod
    async def call(
        self, function: Callable[..., Any], *arguments: Any, known_async: bool | None = None
    ) -> None:
        """Call a callable of the user's, sync or async, and wait for its end.

        Args:
            function: the callable.
            arguments: what it is called with.
            known_async: what `is_async` says of it, if that is known already.
        """

    @abstractmethod
    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Likewise, but a callable that hangs does not keep the process from ending."""

    @abstractmethod
    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Likewise, and wait for at most so many seconds.

        Raises:
            TimeoutError: it has not ended by then.
        """

    @abstractmethod
    async def block(self, function: Callable[[], Result]) -> Result:
        """Call a function of ours that blocks for a while."""

    @abstractmethod
    async def wait_for(self, future: "Future[Result]") -> Result:
        """Wait for a future that others wait for as well."""

    @abstractmethod
    def make_latch(self) -> Latch:
        """Make a latch for the caller to wait for."""


class LoopCaller(Caller):
    """Calls from an event loop; async callables run on that loop."""

    async def call(
        self, function: Callable[..., Any], *arguments: Any, known_async: bool | None = None
    ) -> None:
        """Call a callable; one that is not async runs in a thread of the loop's pool."""
        if is_async(function) if known_async is None else known_async:
            result = function(*arguments)
        else:
            result = await asyncio.to_thread(function, *arguments)
        if inspect.isawaitable(result):
            await self._await(result)

    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a callable; one that is not async runs in a daemon thread of its own."""
        if is_async(function):
            result = function(*arguments)
        else:
            result = await asyncio.wrap_future(start_in_own_thread(function, *arguments))
        if inspect.isawaitable(result):
            await self._await(result)

    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Likewise, with a deadline: an async callable is cancelled at its end."""
        async with asyncio.timeout(seconds):
            await self.call_unpooled(function)

    async def block(self, function: Callable[[], Result]) -> Result:
        """Call a function in a thread of the loop's pool."""
        return await asyncio.to_thread(function)

    async def wait_for(self, future: "Future[Result]") -> Result:
        """Wait for a future, which the cancellation of this task does not cancel."""
        if not future.done():
            await asyncio.shield(asyncio.wrap_future(future))
        return future.result()

    def make_latch(self) -> Latch:
        """Make a latch for a task of the running loop."""
        return LoopLatch()

    async def _await(self, awaitable: Awaitable[Any]) -> None:
        await awaitable


class ProcessLoopCaller(LoopCaller):
    """Calls from an event loop; async callables run on the process's loop instead."""

    async def _await(self, awaitable: Awaitable[Any]) -> None:
        await shared_loop().run_async(awaitable)


class ThreadCaller(Caller):
    """Calls from a thread; async callables run on the process's loop. No method suspends."""

    async def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        known_async: bool | None = None,  # noqa: ARG002
    ) -> None:
        """Call a callable; one that is not async runs in this thread."""
        call_sync(function, *arguments)

    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a callable; whose thread this is decides whether it may hang."""
        call_sync(function, *arguments)

    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Call in a daemon thread, and leave it behind if it has not ended in time."""
        limited = _limit(function, seconds)
        try:
            ended = start_in_own_thread(call_sync, limited)
        except RuntimeError:  # There are no more threads.
            call_sync(limited)
        else:
            # An async callable is cancelled first, unless the process's loop is blocked.
            ended.result(seconds + 1)

    async def block(self, function: Callable[[], Result]) -> Result:
        """Call a function in this thread."""
        return function()

    async def wait_for(self, future: "Future[Result]") -> Result:
        """Block until the future is done."""
        return future.result()

    def make_latch(self) -> Latch:
        """Make a latch for a thread."""
        return ThreadLatch()


ON_LOOP = LoopCaller()
"""For code on an event loop, whose async callables belong to that loop."""

ON_PROCESS_LOOP = ProcessLoopCaller()
"""For code on a server's loop, whose async callables belong to the process's loop."""

IN_THREAD = ThreadCaller()
"""For code in a thread; together with `run_blocking`."""


def run_blocking(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that waits by `IN_THREAD` only, and therefore never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        result: Result = ended.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine that has to block was suspended")


def _limit(function: Callable[..., Any], seconds: float) -> Callable[[], Any]:
    """A function that, if its result turns out to be a coroutine, may take at most so long."""

    def call() -> Any:
        result = function()
        return asyncio.wait_for(result, seconds) if asyncio.iscoroutine(result) else result

    return call
