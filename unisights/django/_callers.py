"""How Django calls the user's functions: by its rules about threads and database connections.

Django's ORM has a connection for each thread, closes old ones at the beginning and the end of each
request, and keeps the calls of one request in one thread with the bridges of asgiref. What is
called in a request is called in its thread. What is called in a thread of this package gets what
requests have: old connections are closed before and after.

An async function whose view is sync, or that is called after the response, runs on the process's
event loop, because clients such as those of HTTP and of databases belong to one loop and are kept
longer than a request. The ORM's calls that it makes come back to the thread that waits for it.
"""

import contextlib
import inspect
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from typing import Any

from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async
from django.db import close_old_connections, connections

from unisights._runtime.callables import is_async, start_in_own_thread
from unisights._runtime.callers import Callers, LoopCaller, ThreadCaller
from unisights._runtime.event_loop import as_exception, shared_loop

_bridged = getattr(SyncToAsync, "threadlocal", threading.local())
"""Where `async_to_sync` looks for the event loop of its thread. It is not documented. Without it,
each call would have a loop of its own, and a client that is kept would work only once."""


def is_testing() -> bool:
    """Return whether Django's test environment is set up, in this process, now.

    `manage.py test`, pytest-django and every other runner call `setup_test_environment`, which
    itself tells by this attribute whether it was called. What it changes in public, such as
    `mail.outbox` and `ALLOWED_HOSTS`, an app may have outside of tests as well; there, to take it
    for a test would be to deliver nothing.
    """
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")


class ThisThreadCaller(ThreadCaller):
    """Calls in this thread, whose connection the ORM uses, also for async functions."""

    def _call_here(self, function: Callable[..., Any], *arguments: Any) -> None:
        result = function(*arguments)
        if inspect.isawaitable(result):
            with _bridged_to_process_loop():
                async_to_sync(_await)(result)


class OwnThreadCaller(ThisThreadCaller):
    """Calls in a thread that ends afterwards."""

    def _call_here(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            super()._call_here(function, *arguments)
        finally:
            connections.close_all()


IN_OWN_THREAD = OwnThreadCaller()


class RequestCaller(ThisThreadCaller):
    """Calls in the thread of a request or of a test.

    What may hang is called in a thread of its own, but by a test in the test's: what it stores
    belongs to the test's connection.
    """

    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Call a callable, and wait for a limited time; in a test, without a limit."""
        if is_testing():
            self._call_here(function)
        else:
            await IN_OWN_THREAD.call_within(seconds, function)

    def start(self, function: Callable[..., Any]) -> Future[None]:
        """Call a callable, and do not wait for its end; in a test, return when it has ended."""
        if not is_testing():
            with contextlib.suppress(RuntimeError):  # There are no more threads.
                return start_in_own_thread(IN_OWN_THREAD._call_here, function)  # noqa: SLF001
        ended: Future[None] = Future()
        try:
            self._call_here(function)
        except BaseException as error:  # noqa: BLE001  # it is the waiter's
            ended.set_exception(as_exception(error))
        else:
            ended.set_result(None)
        return ended


IN_REQUEST = RequestCaller()


class WorkerCaller(RequestCaller):
    """Calls in a thread of this package, which calls many functions."""

    def _call_here(self, function: Callable[..., Any], *arguments: Any) -> None:
        if is_testing():
            # This is the test's thread, and the connection is the test's.
            super()._call_here(function, *arguments)
            return
        close_old_connections()
        try:
            super()._call_here(function, *arguments)
        finally:
            close_old_connections()


class ViewCaller(LoopCaller):
    """Calls on the event loop of an async view; what is not async runs in the request's thread."""

    async def call(
        self, function: Callable[..., Any], *arguments: Any, known_async: bool | None = None
    ) -> None:
        """Call a callable, and await what it returns on this loop."""
        if is_async(function) if known_async is None else known_async:
            result = function(*arguments)
        else:
            result = await _call_in_thread(function, *arguments)
        if inspect.isawaitable(result):
            await result

    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Likewise, but what is not async runs in a thread of its own, unless this is a test."""
        if is_testing() or is_async(function):
            await self.call(function, *arguments)
        else:
            await super().call_unpooled(_call_and_disconnect, function, *arguments)


class ProcessLoopViewCaller(ViewCaller):
    """Calls on the event loop of an async view; async functions run on the process's loop."""

    async def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        known_async: bool | None = None,  # noqa: ARG002
    ) -> None:
        """Call a callable as a sync view does, in the request's thread."""
        await _call_in_thread(IN_REQUEST._call_here, function, *arguments)  # noqa: SLF001

    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Likewise, but in a thread of its own, unless this is a test."""
        if is_testing():
            await self.call(function, *arguments)
        else:
            await super().call_unpooled(IN_REQUEST._call_here, function, *arguments)  # noqa: SLF001


CALLERS = Callers(
    on_server_loop=ViewCaller(),
    on_process_loop=ProcessLoopViewCaller(),
    in_request=IN_REQUEST,
    in_worker=WorkerCaller(),
    # A task has no thread of its own whose connections could be closed.
    in_loop_worker=None,
    delivers_only_in_drain=is_testing,
)
"""Who calls the user's functions in Django."""


def _call_and_disconnect(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a thread that ends afterwards."""
    try:
        return function(*arguments)
    finally:
        connections.close_all()


async def _call_in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in the thread in which Django runs sync code of this request."""

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
