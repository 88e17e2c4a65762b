"""Callers: let one coroutine serve sync and async code.

Code that serves both takes a `Caller` and is written once, as coroutines. `ON_LOOP` waits as
coroutines do. With `IN_THREAD` each wait blocks, so such a coroutine never suspends, and
`run_blocking` runs it without an event loop.
"""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from unisights._runtime.callables import call_for_future, call_sync, is_async, start_in_own_thread
from unisights._runtime.event_loop import shared_loop
from unisights._runtime.latches import Latch, LoopLatch, ThreadLatch

CANCEL_SECONDS = 0.5
"""How long cancelling an async callable may take, in seconds. The end of the process waits for one
second, so that it is told which handler did not end."""

Result = TypeVar("Result")


class Caller(ABC):
    """Calls functions and waits: by blocking the thread, or by suspending the task."""

    @abstractmethod
    async def call(
        self, function: Callable[..., Any], *arguments: Any, known_async: bool | None = None
    ) -> None:
        """Call a callable of the user's, sync or async, and wait for its end.

        Args:
            function: the callable.
            arguments: its arguments.
            known_async: the result of `is_async` for it, if that is known already.
        """

    @abstractmethod
    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a callable of the user's so that it does not keep the process alive if it hangs.

        `IN_THREAD` calls it in the present thread, which therefore has to be a daemon thread.
        """

    @abstractmethod
    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Call a callable of the user's, and wait for a limited time.

        `IN_THREAD` waits for `CANCEL_SECONDS` more, in which an async callable is cancelled. If no
        thread can be started, it waits without a limit for a callable that is not async.

        Raises:
            TimeoutError: it has not ended by then.
        """

    @abstractmethod
    async def block(self, function: Callable[[], Result]) -> Result:
        """Call a function of this package that blocks."""

    @abstractmethod
    def start(self, function: Callable[..., Any]) -> "Future[None]":
        """Call a callable of the user's as `call_unpooled` does, and do not wait for its end."""

    @abstractmethod
    async def wait_for(self, future: "Future[Result]", seconds: float) -> Result:
        """Wait for a future, for a limited time; others may wait for it as well.

        Raises:
            TimeoutError: it has no result by then.
        """

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
            try:
                ended = start_in_own_thread(function, *arguments)
            except RuntimeError:  # There are no more threads: one of the pool has to do.
                result = await asyncio.to_thread(function, *arguments)
            else:
                result = await asyncio.wrap_future(ended)
        if inspect.isawaitable(result):
            await self._await(result)

    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Call a callable; one that is async is cancelled when the time is over."""
        async with asyncio.timeout(seconds):
            await self.call_unpooled(function)

    async def block(self, function: Callable[[], Result]) -> Result:
        """Call a function in a thread of the loop's pool."""
        return await asyncio.to_thread(function)

    def start(self, function: Callable[..., Any]) -> "Future[None]":
        """Call a callable in a task of its own."""
        loop = asyncio.get_running_loop()
        return asyncio.run_coroutine_threadsafe(self.call_unpooled(function), loop)

    async def wait_for(self, future: "Future[Result]", seconds: float) -> Result:
        """Wait for a future. A timeout does not cancel it, nor does cancelling this task."""
        if not future.done():
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)
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
    """Calls from a thread; async callables run on the process's loop. No method suspends.

    A framework with rules of its own about threads overrides `_call_here`.
    """

    async def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        known_async: bool | None = None,  # noqa: ARG002
    ) -> None:
        """Call a callable; one that is not async runs in this thread."""
        self._call_here(function, *arguments)

    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a callable in this thread; it must not hang unless this is a daemon thread."""
        self._call_here(function, *arguments)

    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Call a callable in a daemon thread, which is left behind if it has not ended in time."""
        limited = _limit(function, seconds)
        try:
            ended = start_in_own_thread(self._call_here, limited)
        except RuntimeError:  # There are no more threads.
            self._call_here(limited)
        else:
            # An async callable is cancelled first, unless the process's loop is blocked.
            ended.result(seconds + CANCEL_SECONDS)

    async def block(self, function: Callable[[], Result]) -> Result:
        """Call a function in this thread."""
        return function()

    def start(self, function: Callable[..., Any]) -> "Future[None]":
        """Call a callable in a daemon thread; if there is none, in this one."""

        def run() -> None:
            run_blocking(self.call_unpooled(function))

        try:
            return start_in_own_thread(run)
        except RuntimeError:
            return call_for_future(run)

    async def wait_for(self, future: "Future[Result]", seconds: float) -> Result:
        """Block until the future is done."""
        return future.result(seconds)

    def make_latch(self) -> Latch:
        """Make a latch for a thread."""
        return ThreadLatch()

    def _call_here(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a callable in this thread, and block until what it awaits has ended."""
        call_sync(function, *arguments)


ON_LOOP = LoopCaller()
"""For code on an event loop, whose async callables belong to that loop."""

ON_PROCESS_LOOP = ProcessLoopCaller()
"""For code on a server's loop, whose async callables belong to the process's loop."""

IN_THREAD = ThreadCaller()
"""For code in a thread; together with `run_blocking`."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Callers:
    """Who calls the users' functions of an endpoint, by the place of the call.

    These are the ones for a framework that has no rules of its own about threads and contexts. An
    adapter passes others to its endpoint.

    While `delivers_only_in_drain` returns True, nothing is delivered after a response until the
    app's handle is drained: a framework's tests, whose database connection belongs to their
    thread, get what is delivered on that thread.

    Attributes:
        on_server_loop: on the server's event loop, where async functions belong to that loop.
        on_process_loop: on the server's event loop, where async functions belong to the process's.
        in_request: in the thread that serves the request.
        in_worker: in a thread of this package, outside any request.
        in_loop_worker: in a task on the process's loop, outside any request; None if async
            functions, too, are called by `in_worker`.
        delivers_only_in_drain: whether background and durable delivery call handlers only in
            `drain`, in the thread that calls it; asked when there is something to deliver.
    """

    on_server_loop: Caller = ON_LOOP
    on_process_loop: Caller = ON_PROCESS_LOOP
    in_request: Caller = IN_THREAD
    in_worker: Caller = IN_THREAD
    in_loop_worker: Caller | None = ON_LOOP
    delivers_only_in_drain: Callable[[], bool] = _never

    def after_response(self) -> Caller:
        """Return who calls, in a thread of this package, for the request that is being served."""
        return self.in_worker


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
    """A function that calls another one; if that returns a coroutine, its time is limited."""

    def call() -> Any:
        result = function()
        return asyncio.wait_for(result, seconds) if asyncio.iscoroutine(result) else result

    return call
