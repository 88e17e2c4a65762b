"""Callables of the user's, sync or async: which they are, and how a thread calls them."""

import asyncio
import contextvars
import functools
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from unisights._runtime.event_loop import as_exception, shared_loop

Result = TypeVar("Result")


def call_sync(function: Callable[..., Any], *arguments: Any) -> None:
    """Call from a thread. An async callable runs on the process's event loop."""
    result = function(*arguments)
    if result is not None and inspect.isawaitable(result):  # The second question takes a while.
        shared_loop().run(result)


def start_in_own_thread(function: Callable[..., Result], *arguments: Any) -> Future[Result]:
    """Call in a daemon thread, which does not keep the process alive, unlike a pool's threads.

    Raises:
        RuntimeError: no thread can be started.
    """
    ended = _Ended[Result]()
    # A request's id or trace is in the context, for logs.
    context = contextvars.copy_context()
    run = functools.partial(context.run, ended.run, function, *arguments)
    threading.Thread(target=run, daemon=True).start()
    return ended


def call_for_future(function: Callable[..., Result], *arguments: Any) -> Future[Result]:
    """Call in this thread; return a future that is done."""
    ended = _Ended[Result]()
    ended.run(function, *arguments)
    return ended


class _Ended(Future[Result]):
    """The end of a call."""

    def __init__(self) -> None:
        super().__init__()
        # So a waiter that is cancelled does not cancel the call.
        self.set_running_or_notify_cancel()

    def run(self, function: Callable[..., Result], *arguments: Any) -> None:
        """Make the call."""
        try:
            result = function(*arguments)
        except BaseException as error:  # noqa: BLE001  # it is the waiter's
            self.set_exception(as_exception(error))
        else:
            self.set_result(result)


async def run_in_own_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function that blocks, from an event loop whose pool may be busy with handlers."""
    try:
        ended = start_in_own_thread(function, *arguments)
    except RuntimeError:  # There are no more threads.
        return function(*arguments)
    return await asyncio.wrap_future(ended)


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether a call makes a coroutine, as far as can be known without calling."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  # its method, not whether it has one
    )
