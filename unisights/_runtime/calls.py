"""Calls the user's callables, of whatever kind, from async and from sync code."""

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from unisights._runtime.event_loop import as_exception, shared_loop


async def call_async(function: Callable[..., Any], *arguments: Any) -> None:
    """Call from an event loop; what is not async runs in a thread, as it may block."""
    if is_async(function):
        result = function(*arguments)
    else:
        result = await asyncio.to_thread(function, *arguments)
    if inspect.isawaitable(result):
        await result


async def call_aside(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call from an event loop what may hang; unlike a pool's thread, it holds up no exit."""
    ended: Future[Any] = Future()
    # A caller that is cancelled does not end what runs.
    ended.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = function(*arguments)
        except BaseException as error:  # noqa: BLE001  # it is the caller's
            ended.set_exception(as_exception(error))
        else:
            ended.set_result(result)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(ended)


def call_sync(function: Callable[..., Any], *arguments: Any) -> None:
    """Call from a thread; what is async runs on the process's event loop."""
    result = function(*arguments)
    if inspect.isawaitable(result):
        shared_loop().run(result)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling makes a coroutine, as far as can be seen without calling."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  # its method, not whether it has one
    )
