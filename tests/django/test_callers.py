"""Who calls the user's functions in Django: once, and in the thread that the ORM needs."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("django")

from asgiref.sync import async_to_sync, sync_to_async

from tests.django import apps
from unisights._runtime.callers import LoopCaller, run_blocking
from unisights._runtime.event_loop import shared_loop
from unisights.django._callers import CALLERS, loop_ends

PLACES = ["on_server_loop", "on_process_loop", "in_request", "in_worker"]

every_place = pytest.mark.parametrize("place", PLACES)

every_method = pytest.mark.parametrize("method", ["call", "call_unpooled"])


@contextlib.contextmanager
def _testing(is_on: bool) -> Iterator[None]:
    from django.test.utils import setup_test_environment, teardown_test_environment

    with apps.project():
        if not is_on:
            yield
            return
        setup_test_environment()
        try:
            yield
        finally:
            teardown_test_environment()


def _call(place: str, method: str, function: Any, *arguments: Any) -> None:
    """Call as Django would: a loop is one of `async_to_sync`, and its sync thread is this one."""
    caller = getattr(CALLERS, place)

    async def call() -> None:
        loop_ends.set(False)  # Each request sets it.
        await getattr(caller, method)(function, *arguments)

    if isinstance(caller, LoopCaller):
        async_to_sync(call)()
    else:
        run_blocking(call())


@pytest.mark.parametrize("is_test", [False, True], ids=["server", "test"])
@every_place
@every_method
def test_callables_of_any_kind_are_called(place: str, method: str, is_test: bool) -> None:
    """Once each, sync or async, also if only the result shows which it is."""
    got: list[int] = []

    async def append(value: int) -> None:
        await asyncio.sleep(0)
        await sync_to_async(got.append)(value)

    def append_later(value: int) -> Any:
        return append(value)

    with _testing(is_test):
        for function in (got.append, append, append_later):
            _call(place, method, function, 7)
    assert got == [7, 7, 7]


@every_place
@every_method
@pytest.mark.parametrize("error", [LookupError, RuntimeError])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_a_callable_raises_is_raised(
    place: str, method: str, error: type[Exception], is_async: bool
) -> None:
    """In whatever thread or loop it ran, after one call."""
    calls: list[None] = []

    def fail() -> None:
        calls.append(None)
        raise error

    async def fail_async() -> None:
        fail()

    with apps.project(), pytest.raises(error):
        _call(place, method, fail_async if is_async else fail)
    assert len(calls) == 1


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("place", PLACES[1:])
def test_async_functions_cannot_end_the_process(place: str, error: type[BaseException]) -> None:
    """Nor the process's loop, nor the thread: what they raise is a failure like others."""

    async def fail() -> None:
        raise error

    with apps.project(), pytest.raises(RuntimeError, match=error.__name__):
        _call(place, "call", fail)


@every_place
def test_the_orm_works_in_the_thread_of_the_request(place: str) -> None:
    """Or of the worker, for async functions too."""
    threads: list[int] = []

    def note() -> None:
        threads.append(threading.get_ident())

    async def ask() -> None:
        await sync_to_async(note)()
        await asyncio.gather(*(sync_to_async(note)() for _ in range(2)))

    with apps.project():
        _call(place, "call", note)
        _call(place, "call", ask)
    assert threads == [threading.get_ident()] * 4


@pytest.mark.parametrize("method", ["call", "call_unpooled"])
def test_async_functions_run_on_a_loop_that_stays(method: str) -> None:
    """The server's, if it has one and the view is async; otherwise the process's."""
    loops: list[Any] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    async def serve() -> None:
        loop_ends.set(False)
        await getattr(CALLERS.on_server_loop, method)(note)
        assert loops.pop() is asyncio.get_running_loop()
        loop_ends.set(True)
        await getattr(CALLERS.on_server_loop, method)(note)

    with apps.project():
        asyncio.run(serve())
        for place in PLACES[1:]:
            _call(place, method, note)
    assert loops == [shared_loop().loop] * 4


@pytest.mark.parametrize("is_async", [False, True])
@every_place
def test_a_deadline_ends_the_wait(place: str, is_async: bool) -> None:
    """For what hangs, such as a handler's `close`."""
    ends = threading.Event()

    async def hang() -> None:
        await asyncio.sleep(30)

    def hang_sync() -> None:
        ends.wait(30)

    async def call() -> None:
        loop_ends.set(False)
        await getattr(CALLERS, place).call_within(0.05, hang if is_async else hang_sync)

    run = asyncio.run if isinstance(getattr(CALLERS, place), LoopCaller) else run_blocking
    with apps.project(), pytest.raises(TimeoutError):
        run(call())
    ends.set()
