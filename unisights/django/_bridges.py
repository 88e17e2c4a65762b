"""Bridges between threads and event loops, by which the ORM keeps its connection.

Django's ORM has a connection for each thread. asgiref's bridges keep what belongs to one request in
one thread: an async function gives its ORM calls to the thread that waits for it.
"""

import contextlib
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async

from unisights._runtime.event_loop import as_exception, shared_loop

_bridged = getattr(SyncToAsync, "threadlocal", threading.local())
"""Where `async_to_sync` looks for the event loop of its thread. It is not documented. Without it,
each call would have a loop of its own, and a client that is kept would work only once."""


def call_here(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function in this thread, and block until what it returns has been awaited.

    That is awaited on the process's event loop; its ORM calls come back to this thread.
    """
    result = function(*arguments)
    if inspect.isawaitable(result):
        with _bridged_to_process_loop():
            async_to_sync(_await)(result)


async def call_in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in the thread in which Django runs the sync code of this request."""

    def call() -> Any:  # asgiref refuses callables that it takes for async ones
        return function(*arguments)

    return await sync_to_async(call, thread_sensitive=True)()


async def _await(awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except Exception:
        raise
    except BaseException as error:
        # It must end neither the loop nor the thread, and nobody has cancelled this.
        raise as_exception(error) from error


@contextlib.contextmanager
def _bridged_to_process_loop() -> Iterator[None]:
    """Have `async_to_sync` use the process's loop, also under ASGI.

    There it would use the server's loop, and cancel what runs on it when the client leaves.
    """
    values = {
        "main_event_loop": shared_loop().loop,
        "main_event_loop_pid": os.getpid(),
        "task_context": None,
    }
    before = {name: getattr(_bridged, name, None) for name in values}
    vars(_bridged).update(values)
    try:
        yield
    finally:
        vars(_bridged).update(before)
