"""The handle: every adapter's object has it, as its attribute `unisights`."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_for
from tests.spools import close_spool, fill
from tests.support import make_body
from unisights import Readiness


class _Gate:
    """A handler that waits until it may go on; it is opened and closed."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.begun: list[Any] = []
        self.done: list[Any] = []
        self.closed = 0

    def __call__(self, payload: Any, request: Any) -> None:
        self.begun.append(payload)
        assert self.goes_on.wait(30)
        self.done.append(payload)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def gate() -> Iterator[_Gate]:
    """A handler that waits; it goes on at the end in any case."""
    made = _Gate()
    yield made
    made.goes_on.set()


@pytest.fixture(params=["background", "durable"])
def connect_later(
    request: pytest.FixtureRequest, connect: Callable[..., Any], tmp_path: Path, gate: _Gate
) -> Iterator[Callable[..., Any]]:
    """Makes a client of the adapter under test, in either delivery that responds first."""
    spool = tmp_path / "spool.sqlite3"
    more = {"spool": spool} if request.param == "durable" else {}

    def connect_with(**options: Any) -> Any:
        return connect(delivery=request.param, handler=gate, **more, **options)

    yield connect_with
    gate.goes_on.set()
    close_spool(spool)


def test_drain_waits_for_what_was_accepted(connect_later: Callable[..., Any], gate: _Gate) -> None:
    """False if it takes too long, True once all of it is handled; later payloads are accepted."""
    client = connect_later(max_concurrency=1)
    for _ in range(3):
        assert client.post(make_body()).status == 202
    assert client.unisights.drain(0.05) is False
    assert client.post(make_body()).status == 202
    gate.goes_on.set()
    assert client.unisights.drain(30) is True
    assert len(gate.done) >= 3
    assert asyncio.run(client.unisights.adrain(30)) is True
    assert len(gate.done) == 4
    assert client.unisights.stats().delivered == 4


def test_close_refuses_drains_and_closes_the_handler(
    connect_later: Callable[..., Any], gate: _Gate
) -> None:
    """503 from then on; what was queued has been handled by then. Twice is as good as once."""
    client = connect_later()
    assert client.post(make_body()).status == 202
    wait_for(lambda: gate.begun, "the call")
    threading.Timer(0.05, gate.goes_on.set).start()
    client.unisights.close()
    assert (len(gate.done), gate.closed) == (1, 1)
    assert client.post(make_body()).status == 503
    assert client.unisights.stats().refused["shutting_down"] == 1
    assert client.unisights.readiness() == Readiness(("closed",))
    client.unisights.close()
    asyncio.run(client.unisights.aclose())
    assert gate.closed == 1


def test_inline_is_closed_likewise(connect: Callable[..., Any], gate: _Gate) -> None:
    """The handlers that run are waited for, by `drain` and by `close`."""
    client = connect(handler=gate)
    sending = threading.Thread(target=lambda: client.post(make_body()))
    sending.start()
    wait_for(lambda: gate.begun, "the call")
    assert client.unisights.drain(0.05) is False
    threading.Timer(0.1, gate.goes_on.set).start()
    asyncio.run(client.unisights.aclose())
    assert (len(gate.done), gate.closed) == (1, 1)
    sending.join()
    assert client.unisights.drain(1) is True
    assert client.post(make_body()).status == 503
    assert client.unisights.readiness().reasons == ("closed",)


def test_a_full_queue_is_not_ready(connect: Callable[..., Any], gate: _Gate) -> None:
    """As long as it is full, by number or by bytes."""
    for bounds in ({"queue_size": 1}, {"queue_bytes": 1}):
        client = connect(delivery="background", handler=gate, **bounds)
        assert client.unisights.readiness().ready is True
        client.post(make_body())
        assert client.unisights.readiness() == Readiness(("queue_full",))
        gate.goes_on.set()
        assert client.unisights.drain(30)
        assert client.unisights.readiness().ready is True
        gate.goes_on.clear()


def test_a_full_spool_is_not_ready(
    connect: Callable[..., Any], gate: _Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a while after a payload was refused; then the next one can try again."""
    monkeypatch.setattr("unisights._runtime.recent.RECENT_SECONDS", 0.2)
    spool = tmp_path / "spool.sqlite3"
    client = connect(delivery="durable", spool=spool, spool_bytes=1, handler=gate)
    assert client.post(make_body()).status == 202
    assert client.unisights.readiness().ready is True
    assert client.post(make_body()).status == 503
    assert client.unisights.readiness().reasons == ("spool_full",)
    time.sleep(0.3)
    assert client.unisights.readiness().ready is True
    gate.goes_on.set()
    client.unisights.close()


def test_a_spool_that_fails_is_not_ready(connect: Callable[..., Any], tmp_path: Path) -> None:
    """Likewise, when the file cannot be opened."""
    spool = tmp_path / "spool.sqlite3"
    client = connect(delivery="durable", spool=spool)
    spool.mkdir()
    assert client.post(make_body()).status == 503
    assert client.unisights.readiness().reasons == ("spool_failed",)


def test_a_handler_that_does_not_open_is_not_ready(connect: Callable[..., Any]) -> None:
    """Until it has opened, or some seconds have passed."""

    class Handler:
        is_there = False

        def open(self) -> None:
            if not self.is_there:
                raise ConnectionError("the database is away")

        def __call__(self, payload: Any, request: Any) -> None:
            pass

    handler = Handler()
    client = connect(handler=handler)
    assert client.unisights.readiness().ready is True
    assert client.post(make_body()).status == 500
    assert client.unisights.readiness().reasons == ("handler_not_open",)
    handler.is_there = True
    assert client.post(make_body()).status == 200
    assert client.unisights.readiness().ready is True


def test_a_closed_endpoint_is_opened_again(
    connect_later: Callable[..., Any], gate: _Gate, tmp_path: Path
) -> None:
    """`open` accepts payloads again; a spool is delivered from at once, without a request."""
    client = connect_later()
    gate.goes_on.set()
    client.unisights.close()
    spool = client.unisights.spool
    if spool is not None:
        assert spool == tmp_path / "spool.sqlite3"
        fill(spool, 1)
        client.unisights.open()
        wait_for(lambda: len(gate.done) == 1, "the delivery")
        client.unisights.close()
    asyncio.run(client.unisights.aopen())
    assert client.unisights.readiness().ready
    assert client.post(make_body()).status == 202
    assert client.unisights.drain(30)
    client.unisights.close()
