"""The two colours: how code that serves both calls and waits."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from unisights._runtime.callers import (
    IN_THREAD,
    ON_LOOP,
    ON_PROCESS_LOOP,
    Caller,
    LoopCaller,
    run_blocking,
)
from unisights._runtime.event_loop import shared_loop
from unisights._runtime.latches import open_all


def _run(caller: Caller, coroutine: Any) -> Any:
    return asyncio.run(coroutine) if isinstance(caller, LoopCaller) else run_blocking(coroutine)


all_callers = pytest.mark.parametrize("caller", [ON_LOOP, ON_PROCESS_LOOP, IN_THREAD])


@all_callers
@pytest.mark.parametrize("method", ["call", "call_unpooled"])
def test_callables_of_any_kind_are_called(caller: Caller, method: str) -> None:
    """Sync or async, also if only the result shows which it is."""
    got: list[int] = []

    async def append(value: int) -> None:
        await asyncio.sleep(0)
        got.append(value)

    def append_later(value: int) -> Any:
        return append(value)

    for function in (got.append, append, append_later):
        _run(caller, getattr(caller, method)(function, 7))
    assert got == [7, 7, 7]


@all_callers
def test_what_a_callable_raises_is_raised(caller: Caller) -> None:
    """In whatever thread or loop it ran."""

    async def fail() -> None:
        raise LookupError

    def fail_sync() -> None:
        raise LookupError

    for function in (fail, fail_sync):
        for method in (caller.call, caller.call_unpooled):
            with pytest.raises(LookupError):
                _run(caller, method(function))


def test_async_callables_run_on_the_loop_they_belong_to() -> None:
    """The running one; or the process's, for code in a thread and deliveries that respond first."""
    loops: list[Any] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    async def call_all() -> list[Any]:
        await ON_LOOP.call(note)
        await ON_PROCESS_LOOP.call(note)
        return [asyncio.get_running_loop(), shared_loop()._loop]

    expected = asyncio.run(call_all())
    run_blocking(IN_THREAD.call(note))
    assert loops == [*expected, expected[1]]


@all_callers
@pytest.mark.parametrize("is_async", [False, True])
def test_a_deadline_ends_the_wait(caller: Caller, is_async: bool) -> None:
    """For what hangs, sync or async."""
    ends = threading.Event()

    async def hang() -> None:
        await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        _run(caller, caller.call_within(0.05, hang if is_async else lambda: ends.wait(30)))
    ends.set()


@all_callers
def test_latches_are_opened_by_other_threads(caller: Caller) -> None:
    """Whoever waits goes on, in a thread or on a loop, or when the time is over."""

    async def wait() -> list[bool]:
        latch = caller.make_latch()
        threading.Timer(0.05, open_all, [[latch]]).start()
        return [await latch.wait(30), await caller.make_latch().wait(0.01)]

    assert _run(caller, wait()) == [True, False]


def test_a_latch_of_a_loop_that_ended_harms_nobody() -> None:
    """Its request has ended too."""

    async def make() -> Any:
        return ON_LOOP.make_latch()

    open_all([asyncio.run(make()), IN_THREAD.make_latch()])


@all_callers
def test_futures_are_waited_for(caller: Caller) -> None:
    """A result, or an exception, of another thread."""

    async def wait(end: Any) -> Any:
        future: Future[int] = Future()
        threading.Timer(0.05, end, [future]).start()
        return await caller.wait_for(future, 30)

    assert _run(caller, wait(lambda future: future.set_result(5))) == 5
    with pytest.raises(LookupError):
        _run(caller, wait(lambda future: future.set_exception(LookupError())))


@all_callers
def test_waiting_for_a_future_has_an_end(caller: Caller) -> None:
    """The future goes on: others may wait for longer."""
    future: Future[int] = Future()

    async def wait() -> int:
        return await caller.wait_for(future, 0.01)

    with pytest.raises(TimeoutError):
        _run(caller, wait())
    assert not future.done()


@all_callers
@pytest.mark.parametrize("is_async", [False, True])
def test_a_call_is_started_and_not_waited_for(caller: Caller, *, is_async: bool) -> None:
    """Its future has what it raises."""

    def fail() -> None:
        raise LookupError

    async def fail_async() -> None:
        raise LookupError

    async def start() -> None:
        await caller.wait_for(caller.start(fail_async if is_async else fail), 30)

    with pytest.raises(LookupError):
        _run(caller, start())


def test_blocking_code_that_suspends_is_a_mistake() -> None:
    """It is told, and not run halfway."""
    with pytest.raises(RuntimeError, match="suspended"):
        run_blocking(asyncio.sleep(0))
