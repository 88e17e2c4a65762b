"""Requests that the host cancels on an event loop: what was begun for them goes on to its end."""

import asyncio
import gc
import gzip
import io
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import INFO, serve_async
from tests.support import make_body
from unisights import Durable, UndeliveredError, UnisightsOptions
from unisights._endpoint import completion
from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._endpoint.completion import Completion
from unisights._http.body import AsyncStreamBody, BodyBuffer, StreamBody
from unisights._runtime.ending import TimeLeft
from unisights.collector import Collector
from unisights.delivery import Background, Delivery, Inline


def _endpoint(**options: Any) -> AsyncEndpoint:
    return AsyncEndpoint(UnisightsOptions(**options), Inline())


async def _cancel(request: "asyncio.Task[Any]") -> None:
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


def test_an_async_handler_goes_on() -> None:
    """It may wait as often as it likes, with time limits of its own, and is counted at its end."""
    begun, released = asyncio.Event(), asyncio.Event()

    async def handle(_payload: Any, _request: Any) -> None:
        async with asyncio.timeout(30):
            begun.set()
            await released.wait()
            await asyncio.sleep(0)

    endpoint = _endpoint(handler=handle)

    async def main() -> None:
        request = asyncio.create_task(serve_async(endpoint, make_body()))
        await begun.wait()
        await _cancel(request)
        assert endpoint.control.stats().delivered == 0
        released.set()
        assert await endpoint.control.adrain(30)

    asyncio.run(main())
    stats = endpoint.control.stats()
    assert (stats.accepted, stats.delivered, stats.failed) == (1, 1, 0)


def test_a_request_that_is_cancelled_while_its_body_arrives_is_counted() -> None:
    """As one whose client has cut the body: there is nothing to deliver."""
    begun = asyncio.Event()

    class Body:
        has_ended = False

        async def read(self) -> bytes | None:
            begun.set()
            await asyncio.sleep(3600)
            return None

    endpoint = _endpoint()

    async def main() -> None:
        request = asyncio.create_task(endpoint.serve(INFO, Body(), lambda _body: None))
        await begun.wait()
        await _cancel(request)

    asyncio.run(main())
    assert endpoint.control.stats().refused["cut_body"] == 1


@pytest.mark.parametrize("kind", ["inline", "background", "durable"])
def test_a_body_that_is_decoded_in_a_thread_is_delivered(kind: str, tmp_path: Path) -> None:
    """From the moment that it was read, nothing of it depends on the request."""
    handled = threading.Event()
    deliveries: dict[str, Delivery] = {
        "inline": Inline(),
        "background": Background(),
        "durable": Durable(tmp_path / "spool"),
    }
    endpoint = _endpoint(
        handler=lambda _payload, _request: handled.set(), delivery=deliveries[kind]
    )
    info = INFO.__class__(method="POST", path="/events", headers={"content-encoding": "gzip"})
    pieces = [gzip.compress(make_body())]
    read = asyncio.Event()

    def read_piece(_size: int) -> bytes:
        read.set()
        return pieces.pop() if pieces else b""

    async def main() -> None:
        async with endpoint.lifespan():
            body = AsyncStreamBody(StreamBody(read_piece, len(pieces[0])))
            request = asyncio.create_task(endpoint.serve(info, body, lambda _body: None))
            await read.wait()
            await _cancel(request)
            assert await asyncio.to_thread(handled.wait, 30)

    asyncio.run(main())


def test_the_end_of_the_loop_leaves_a_trace() -> None:
    """A handler that still runs when its loop is cancelled has failed, and `on_error` is called."""
    errors: list[Exception] = []
    begun, reported = asyncio.Event(), threading.Event()

    async def handle(_payload: Any, _request: Any) -> None:
        begun.set()
        await asyncio.sleep(3600)

    def on_error(_payload: Any, error: Exception) -> None:
        errors.append(error)
        reported.set()

    endpoint = _endpoint(handler=handle, on_error=on_error)

    async def main() -> None:
        request = asyncio.create_task(serve_async(endpoint, make_body()))
        await begun.wait()
        await _cancel(request)

    asyncio.run(main())
    assert reported.wait(30)
    assert isinstance(errors[0], UndeliveredError)
    stats = endpoint.control.stats()
    assert (stats.accepted, stats.delivered, stats.failed) == (1, 0, 1)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_outlives_the_end_is_reported(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Once, with an UndeliveredError, and the end waits for `on_error`."""
    errors: list[Exception] = []
    begun, released = threading.Event(), threading.Event()

    def handle(_payload: Any, _request: Any) -> None:
        begun.set()
        assert released.wait(60)

    async def handle_async(_payload: Any, _request: Any) -> None:
        await asyncio.to_thread(handle, None, None)

    def on_error(_payload: Any, error: Exception) -> None:
        time.sleep(0.05)
        errors.append(error)

    endpoint = _endpoint(handler=handle if kind == "sync" else handle_async, on_error=on_error)

    async def main() -> None:
        request = asyncio.create_task(serve_async(endpoint, make_body()))
        await asyncio.to_thread(begun.wait, 60)
        await _cancel(request)
        left = TimeLeft(drain=0.01, report=60.0, close=1.0)
        await asyncio.to_thread(endpoint.delivery.close, left)
        assert [type(error) for error in errors] == [UndeliveredError]
        released.set()
        await endpoint._completion.wait(60)

    asyncio.run(main())
    assert len(errors) == 1
    stats = endpoint.control.stats()
    assert (stats.accepted, stats.delivered, stats.failed) == (1, 0, 1)
    assert "payloads that were not handled before the end: 1" in caplog.text


def test_a_handler_that_fails_after_it_was_reported_is_not_reported_again() -> None:
    """Its payload has been passed to `on_error` at the end: once is enough."""
    errors: list[Exception] = []
    begun, released = threading.Event(), threading.Event()

    def fail(_payload: Any, _request: Any) -> None:
        begun.set()
        assert released.wait(60)
        raise LookupError("no such place")

    endpoint = _endpoint(handler=fail, on_error=lambda _payload, error: errors.append(error))

    async def main() -> None:
        request = asyncio.create_task(serve_async(endpoint, make_body()))
        await asyncio.to_thread(begun.wait, 60)
        left = TimeLeft(drain=0.01, report=60.0, close=1.0)
        await asyncio.to_thread(endpoint.delivery.drain_at_signal, left)
        released.set()
        assert (await request).status == 500
        assert await endpoint.control.adrain(60)

    asyncio.run(main())
    assert [type(error) for error in errors] == [UndeliveredError]
    assert endpoint.control.stats().failed == 1


def test_draining_waits_for_what_was_accepted_before() -> None:
    """Under traffic some handler always runs; the ones that ran at the time are waited for."""
    first, others = asyncio.Event(), asyncio.Event()

    async def handle(payload: Any, _request: Any) -> None:
        await (first if payload.data.asset_id == "first" else others).wait()

    endpoint = _endpoint(handler=handle)

    async def main() -> None:
        requests = [asyncio.create_task(serve_async(endpoint, make_body(asset_id="first")))]
        await asyncio.sleep(0.01)
        draining = asyncio.create_task(endpoint.control.adrain(60))
        await asyncio.sleep(0.05)
        requests.append(asyncio.create_task(serve_async(endpoint, make_body(asset_id="other"))))
        await asyncio.sleep(0.01)
        first.set()
        assert await draining
        others.set()
        await asyncio.gather(*requests)

    asyncio.run(main())
    assert endpoint.control.stats().delivered == 2


def test_on_error_comes_although_the_loop_ends_before_its_turn() -> None:
    """A sync `on_error` that waits for a thread of a busy pool runs in a thread of its own."""
    errors: list[Exception] = []
    failing, released = asyncio.Event(), threading.Event()

    async def fail(_payload: Any, _request: Any) -> None:
        failing.set()
        raise LookupError("no such place")

    endpoint = _endpoint(handler=fail, on_error=lambda _payload, error: errors.append(error))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        blocker = loop.run_in_executor(None, released.wait, 60)
        request = asyncio.create_task(serve_async(endpoint, make_body()))
        await failing.wait()
        await _cancel(request)
        for task in endpoint._completion._tasks:
            task.cancel()  # as the end of a loop does
        await endpoint._completion.wait(60)
        endpoint.delivery.close(TimeLeft(drain=60.0, report=60.0, close=1.0))
        assert [type(error) for error in errors] == [LookupError]
        released.set()
        await blocker

    asyncio.run(main())


def test_the_end_of_the_app_waits_for_bodies_that_are_being_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The delivery is closed after them, so that none of them finds it closed."""
    decoding, released = threading.Event(), threading.Event()
    decode = Collector.decide

    def decode_slowly(self: Collector, info: Any, buffer: BodyBuffer) -> Any:
        decoding.set()
        assert released.wait(60)
        return decode(self, info, buffer)

    monkeypatch.setattr(Collector, "decide", decode_slowly)
    endpoint = _endpoint(handler=lambda _payload, _request: None)
    info = INFO.__class__(method="POST", path="/events", headers={"content-encoding": "gzip"})

    async def main() -> None:
        async with endpoint.lifespan():
            body = AsyncStreamBody(StreamBody(io.BytesIO(gzip.compress(make_body())).read))
            request = asyncio.create_task(endpoint.serve(info, body, lambda _body: None))
            await asyncio.to_thread(decoding.wait, 60)
            await _cancel(request)
            asyncio.get_running_loop().call_later(0.05, released.set)

    asyncio.run(main())
    assert endpoint.control.stats().delivered == 1


def test_a_closed_endpoint_takes_no_part_in_the_end() -> None:
    """Nothing keeps it alive."""

    async def handle(_payload: Any, _request: Any) -> None:
        await asyncio.sleep(0)

    endpoint = _endpoint(handler=handle)
    asyncio.run(serve_async(endpoint, make_body()))
    endpoint.control.close()
    reference = weakref.ref(endpoint)
    del endpoint
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("limit", ["MAX_ABANDONED", "MAX_ABANDONED_BYTES"])
def test_cancelled_requests_are_bounded(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While too many of them are unfinished, others get 503; afterwards they are served again."""
    monkeypatch.setattr(completion, limit, 3 if limit == "MAX_ABANDONED" else 3 * len(make_body()))
    all_run, released = asyncio.Barrier(4), asyncio.Event()

    async def handle(_payload: Any, _request: Any) -> None:
        if not released.is_set():
            await all_run.wait()
        await released.wait()

    endpoint = _endpoint(handler=handle)

    async def main() -> None:
        requests = [asyncio.create_task(serve_async(endpoint, make_body())) for _ in range(3)]
        async with asyncio.timeout(60):
            await all_run.wait()
        for request in requests:
            await _cancel(request)
        assert (await serve_async(endpoint, make_body())).status == 503
        assert endpoint.control.readiness().reasons == ("queue_full",)
        released.set()
        assert await endpoint.control.adrain(30)
        assert endpoint.control.readiness().ready
        assert (await serve_async(endpoint, make_body())).status == 200

    asyncio.run(main())
    assert endpoint.control.stats().refused["queue_full"] == 1


def test_an_encoded_body_counts_as_it_may_be() -> None:
    """A small body may be as large as the limit once it is inflated; then its size is known."""
    buffer = BodyBuffer(1000, "gzip")
    buffer.add(gzip.compress(b"x" * 900))
    assert buffer.weight == 1000
    buffer.finish()
    assert buffer.weight == 900
    plain = BodyBuffer(1000, "identity")
    plain.add(b"x" * 70)
    plain.add(b"x" * 7)
    assert plain.weight == 77


def test_a_loop_that_has_stopped_runs_on_at_the_end() -> None:
    """Some servers stop the loop at a signal, and cancel nothing."""
    begun, ended = asyncio.Event(), threading.Event()

    async def respond() -> Any:
        begun.set()
        await asyncio.sleep(0.01)
        ended.set()

    requests = Completion()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(requests.run(respond(), BodyBuffer(1000, "identity")))
    loop.run_until_complete(begun.wait())
    assert not ended.is_set()
    requests.close(TimeLeft.alone(30))
    assert ended.is_set()
    loop.run_until_complete(waiting)
    loop.close()
