"""Inline delivery on an event loop: threads, contexts and requests that are cancelled."""

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from tests.endpoints import serve_async
from tests.support import make_body
from unisights import UnisightsOptions
from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._endpoint.discarding import discard_rest_async
from unisights._http.body import AsyncStreamBody, StreamBody

REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("REQUEST_ID")


async def _fail(payload: Any, request: Any) -> None:
    raise LookupError("no such place")


def _endpoint(**options: Any) -> AsyncEndpoint:
    return AsyncEndpoint(UnisightsOptions(**options), "inline")


def test_on_error_has_the_pool_and_the_context() -> None:
    """However many handlers fail at once, the loop's pool bounds the threads of `on_error`.

    It runs in the context of its request, as the handler does.
    """
    threads: set[threading.Thread] = set()
    found: list[str] = []

    def on_error(payload: Any, error: Exception) -> None:
        threads.add(threading.current_thread())
        found.append(REQUEST_ID.get("lost"))

    endpoint = _endpoint(handler=_fail, on_error=on_error)

    async def send(number: int) -> int:
        REQUEST_ID.set(f"request {number}")
        return (await serve_async(endpoint, make_body())).status

    async def send_many() -> list[int]:
        return await asyncio.gather(*(send(number) for number in range(200)))

    assert asyncio.run(send_many()) == [500] * 200
    assert sorted(found) == sorted(f"request {number}" for number in range(200))
    assert all("asyncio" in thread.name for thread in threads)


@pytest.mark.parametrize("fails", [False, True])
def test_a_thread_that_goes_on_after_its_request_counts(*, fails: bool) -> None:
    """A sync handler whose request is cancelled has its own outcome: delivered, or failed once."""
    begun, released = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def handle(payload: Any, request: Any) -> None:
        begun.set()
        assert released.wait(30)
        if fails:
            raise LookupError("no such place")

    endpoint = _endpoint(
        handler=handle, on_error=lambda payload, error: errors.append(error), duplicate_window=60
    )

    async def cancel_one() -> None:
        request = asyncio.ensure_future(serve_async(endpoint, make_body()))
        assert await asyncio.to_thread(begun.wait, 30)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert not errors
        released.set()
        assert await endpoint.control.adrain(30)

    asyncio.run(cancel_one())
    stats = endpoint.control.stats()
    assert (stats.accepted, stats.delivered, stats.failed) == (1, not fails, fails)
    assert [type(error) for error in errors] == [LookupError] * fails


def test_discarding_ends_where_reads_never_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit holds for a slow client whose every read blocks the loop for a moment."""
    monkeypatch.setattr("unisights._endpoint.discarding.DISCARD_SECONDS", 0.2)
    reads = 0

    def read(_size: int) -> bytes:
        nonlocal reads
        reads += 1
        time.sleep(0.01)
        return b"x" if reads < 3000 else b""

    asyncio.run(discard_rest_async(AsyncStreamBody(StreamBody(read))))
    assert reads < 3000
