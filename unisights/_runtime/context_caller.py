"""A caller that calls each function of the user's in a context, such as an app's."""

import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from unisights._runtime.callables import is_async
from unisights._runtime.callers import Caller
from unisights._runtime.latches import Latch

Result = TypeVar("Result")

Enter = Callable[[], AbstractContextManager[Any]]
"""Makes a new context; it is entered, and left with what the function raises."""


class ContextCaller(Caller):
    """Calls like another caller. Each call has a context of its own.

    The context is entered where the function runs: in its thread, or in its task.

    Args:
        inner: the other caller.
        enter: makes the context of a call.
    """

    def __init__(self, inner: Caller, enter: Enter) -> None:
        self._inner = inner
        self._enter = enter

    async def call(
        self, function: Callable[..., Any], *arguments: Any, known_async: bool | None = None
    ) -> None:
        """Call a callable in a context."""
        is_coroutine = is_async(function) if known_async is None else known_async
        within = self._within(function, is_coroutine=is_coroutine)
        await self._inner.call(within, *arguments, known_async=is_coroutine)

    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a callable in a context, so that it does not keep the process alive if it hangs."""
        await self._inner.call_unpooled(self._within(function), *arguments)

    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Call a callable in a context, and wait for a limited time."""
        await self._inner.call_within(seconds, self._within(function))

    async def block(self, function: Callable[[], Result]) -> Result:
        """Call a function of this package, which needs no context."""
        return await self._inner.block(function)

    def start(self, function: Callable[..., Any]) -> "Future[None]":
        """Call a callable in a context, and do not wait for its end."""
        return self._inner.start(self._within(function))

    async def wait_for(self, future: "Future[Result]", seconds: float) -> Result:
        """Wait for a future, for a limited time."""
        return await self._inner.wait_for(future, seconds)

    def make_latch(self) -> Latch:
        """Make a latch for the other caller to wait for."""
        return self._inner.make_latch()

    def _within(
        self, function: Callable[..., Any], *, is_coroutine: bool | None = None
    ) -> Callable[..., Any]:
        """Return a function, sync or async as the given one is, that calls it in a context."""
        enter = self._enter

        async def finish(awaitable: Awaitable[Any]) -> Any:
            with enter():
                return await awaitable

        async def call_async(*arguments: Any) -> Any:
            with enter():
                return await function(*arguments)

        def call_sync(*arguments: Any) -> Any:
            with enter():
                result = function(*arguments)
            # A lambda, for example, may return a coroutine, whose code has not run yet.
            return finish(result) if inspect.isawaitable(result) else result

        is_coroutine = is_async(function) if is_coroutine is None else is_coroutine
        return call_async if is_coroutine else call_sync
