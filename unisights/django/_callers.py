"""How Django calls the user's functions: by its rules about threads and database connections.

What is called in a request is called in its thread, whose connections Django itself looks after.
What is called in a thread of this package gets what requests have: old connections are closed
before and after.

Clients that are kept, such as those of HTTP and of databases, belong to one event loop. So async
functions run on the server's loop if the view is async and the server has one, and otherwise on the
process's.
"""

import asyncio
import contextlib
import inspect
import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any

from django.db import close_old_connections, connections

from unisights._runtime.callables import is_async, start_in_own_thread
from unisights._runtime.callers import Callers, LoopCaller, ThreadCaller
from unisights._runtime.event_loop import as_exception
from unisights.django._bridges import call_here, call_in_thread

loop_ends: ContextVar[bool] = ContextVar("loop_ends", default=False)
"""Whether the event loop ends with the request, as under WSGI; the async view sets it."""


def is_testing() -> bool:
    """Return whether Django's test environment is set up, in this process, now.

    `manage.py test`, pytest-django and every other runner call `setup_test_environment`, which
    itself tells by this attribute whether it was called. Its public effects, such as `mail.outbox`
    and `ALLOWED_HOSTS`, are no sign of a test: an app may set them in production, where nothing
    would be delivered then.
    """
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")


class OwnThreadCaller(ThreadCaller):
    """Calls in a thread that ends afterwards."""

    def _call_here(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            call_here(function, *arguments)
        finally:
            connections.close_all()

    def start_thread(self, function: Callable[..., Any], *arguments: Any) -> Future[None] | None:
        """Start the thread; return None if there are no more threads."""
        with contextlib.suppress(RuntimeError):
            return start_in_own_thread(self._call_here, function, *arguments)
        return None


IN_OWN_THREAD = OwnThreadCaller()


class RequestCaller(ThreadCaller):
    """Calls in the thread of a request or of a test.

    A function that may hang is called in a thread of its own. In a test it is called in the test's
    thread, because what it stores belongs to the test's connection.
    """

    def _call_here(self, function: Callable[..., Any], *arguments: Any) -> None:
        call_here(function, *arguments)

    async def call_within(self, seconds: float, function: Callable[..., Any]) -> None:
        """Call a callable, and wait for a limited time; in a test, without a limit."""
        if is_testing():
            self._call_here(function)
        else:
            await IN_OWN_THREAD.call_within(seconds, function)

    def start(self, function: Callable[..., Any]) -> Future[None]:
        """Call a callable, and do not wait for its end; in a test, return when it has ended."""
        started = None if is_testing() else IN_OWN_THREAD.start_thread(function)
        if started is not None:
            return started
        ended: Future[None] = Future()
        try:
            self._call_here(function)
        except BaseException as error:  # noqa: BLE001  # it is the waiter's
            ended.set_exception(as_exception(error))
        else:
            ended.set_result(None)
        return ended


class WorkerCaller(RequestCaller):
    """Calls in a thread of this package, which calls many functions."""

    def _call_here(self, function: Callable[..., Any], *arguments: Any) -> None:
        if is_testing():
            # This is the test's thread, and the connection is the test's.
            call_here(function, *arguments)
            return
        close_old_connections()
        try:
            call_here(function, *arguments)
        finally:
            close_old_connections()


class ProcessLoopCaller(LoopCaller):
    """Calls for an async view as for a sync one: async functions run on the process's loop."""

    async def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        known_async: bool | None = None,  # noqa: ARG002
    ) -> None:
        """Call a callable; the request's thread waits for it."""
        await call_in_thread(call_here, function, *arguments)

    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a callable in a thread of its own; in a test, as usual."""
        ended = None if is_testing() else IN_OWN_THREAD.start_thread(function, *arguments)
        if ended is None:
            await self.call(function, *arguments)
        else:
            await asyncio.wrap_future(ended)


ON_PROCESS_LOOP = ProcessLoopCaller()


class ServerLoopCaller(LoopCaller):
    """Calls for an async view; async functions run on its loop, unless that ends with the request.

    What is not async runs in the request's thread, or in one of its own if it may hang.
    """

    async def call(
        self, function: Callable[..., Any], *arguments: Any, known_async: bool | None = None
    ) -> None:
        """Call a callable."""
        if loop_ends.get():
            await ON_PROCESS_LOOP.call(function, *arguments)
        elif is_async(function) if known_async is None else known_async:
            await function(*arguments)
        else:
            result = await call_in_thread(function, *arguments)
            if inspect.isawaitable(result):
                await result

    async def call_unpooled(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a callable in a thread of its own if it is not async; in a test, as usual."""
        if is_async(function) and not loop_ends.get():
            await function(*arguments)
        else:
            await ON_PROCESS_LOOP.call_unpooled(function, *arguments)


CALLERS = Callers(
    on_server_loop=ServerLoopCaller(),
    on_process_loop=ON_PROCESS_LOOP,
    in_request=RequestCaller(),
    in_worker=WorkerCaller(),
    # A task has no thread of its own whose connections could be closed.
    in_loop_worker=None,
    delivers_only_in_drain=is_testing,
)
"""Who calls the user's functions in Django."""
