"""Delivery after the answer, from memory or from the spool, on every adapter."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_for
from tests.spools import close_spool
from tests.support import SESSION_ID, click, make_body
from unisights import RequestInfo


class _Gate:
    """A handler that waits until it is let go, and notes what has begun and ended."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.done: list[Any] = []
        self.requests: list[Any] = []
        self.let_go = threading.Event()

    def __call__(self, payload: Any, request: Any) -> None:
        self.begun.append(payload)
        self.requests.append(request)
        assert self.let_go.wait(30)
        self.done.append(payload)


@pytest.fixture
def gate() -> Any:
    """A handler that waits; it is let go at the end in any case."""
    made = _Gate()
    yield made
    made.let_go.set()


@pytest.fixture
def connect_background(connect: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a client of the adapter under test that delivers in the background."""

    def connect_with(**options: Any) -> Any:
        return connect(delivery="background", **options)

    return connect_with


@pytest.fixture(params=["background", "durable"])
def connect_later(
    request: pytest.FixtureRequest, connect: Callable[..., Any], tmp_path: Path, gate: _Gate
) -> Iterator[Callable[..., Any]]:
    """Likewise, in either of the ways that answer first."""
    spool = tmp_path / "spool.sqlite3"
    more = {"spool": spool} if request.param == "durable" else {}

    def connect_with(**options: Any) -> Any:
        return connect(delivery=request.param, **more, **options)

    yield connect_with
    gate.let_go.set()
    close_spool(spool)


def test_the_answer_does_not_wait(connect_later: Any, gate: Any) -> None:
    """202 with the session's id comes before the handler has ended."""
    answer = connect_later(handler=gate).post(make_body())
    assert answer.status == 202
    assert answer.json() == {"status": "queued", "session_id": SESSION_ID}
    assert gate.done == []
    gate.let_go.set()
    wait_for(lambda: gate.done, "the handler's end")


def test_the_handler_gets_the_request_info(connect_later: Any, gate: Any) -> None:
    """The second argument is the snapshot that outlives the request."""
    gate.let_go.set()
    connect_later(handler=gate).post(make_body(), x_trace="abc")
    wait_for(lambda: gate.done, "the handler's end")
    (info,) = gate.requests
    assert isinstance(info, RequestInfo)
    assert (info.method, info.path, info.client) == ("POST", "/events", "192.0.2.7")
    assert info.headers["x-trace"] == "abc"


def test_async_handlers_share_one_loop(connect_later: Any) -> None:
    """Every async handler runs on the same loop, so that they can share a client."""
    loops: list[Any] = []

    async def handler(payload: Any, request: Any) -> None:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())

    client = connect_later(handler=handler)
    for _ in range(20):
        client.post(make_body())
    wait_for(lambda: len(loops) == 20, "the handlers' end")
    assert len(set(loops)) == 1
    assert loops[0].is_running()


def test_so_many_handlers_run_at_once(connect_later: Any, gate: Any) -> None:
    """`max_concurrency` handlers run at once, and no more."""
    client = connect_later(handler=gate, max_concurrency=3)
    for _ in range(6):
        client.post(make_body())
    wait_for(lambda: len(gate.begun) == 3, "the start of three handlers")
    time.sleep(0.1)
    assert len(gate.begun) == 3
    gate.let_go.set()
    wait_for(lambda: len(gate.done) == 6, "the handlers' end")


def test_a_full_queue_is_503(connect_background: Any, gate: Any) -> None:
    """503 with Retry-After when as many wait as may; what was acknowledged is handled."""
    client = connect_background(handler=gate, queue_size=3, max_concurrency=1)
    statuses = [client.post(make_body()).status for _ in range(3)]
    refused = client.post(make_body(), origin="https://page.example")
    assert statuses == [202, 202, 202]
    assert refused.status == 503
    assert refused.header("retry-after") == "1"
    assert refused.header("access-control-allow-origin") == "https://page.example"
    gate.let_go.set()
    wait_for(lambda: len(gate.done) == 3, "the handlers' end")
    wait_for(lambda: client.post(make_body()).status == 202, "room in the queue")


def test_the_queues_bytes_are_bounded(connect_background: Any, gate: Any) -> None:
    """Large payloads fill the queue before many of them do; one alone always fits."""
    body = make_body(events=[click()] * 100)
    client = connect_background(handler=gate, queue_bytes=2 * len(body))
    assert [client.post(body).status for _ in range(3)] == [202, 202, 503]
    alone = connect_background(handler=gate, queue_bytes=1)
    assert alone.post(body).status == 202


def test_a_failure_goes_to_on_error(
    connect_background: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What the handler raises is logged, and on_error gets the payload with it."""
    failed: list[Any] = []

    async def handler(payload: Any, request: Any) -> None:
        raise LookupError("no such place")

    async def on_error(payload: Any, error: Exception) -> None:
        failed.append((payload, error))

    connect_background(handler=handler, on_error=on_error).post(make_body())
    wait_for(lambda: failed, "the call of on_error")
    ((payload, error),) = failed
    assert payload.data.session_id == SESSION_ID
    assert isinstance(error, LookupError)
    assert "no such place" in caplog.text


def test_inline_failures_go_to_on_error_too(connect: Any) -> None:
    """Inline, the sender is told 500, and on_error still gets the payload."""
    failed: list[Any] = []

    def handler(payload: Any, request: Any) -> None:
        raise LookupError

    client = connect(handler=handler, on_error=lambda payload, error: failed.append(payload))
    assert client.post(make_body()).status == 500
    assert len(failed) == 1


def test_a_failing_on_error_hurts_nothing(connect: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An on_error that raises is logged; the answer stays the same."""

    def fail(payload: Any, other: Any) -> None:
        raise LookupError("in on_error")

    client = connect(handler=fail, on_error=fail)
    assert client.post(make_body()).status == 500
    assert "in on_error" in caplog.text


def test_nothing_is_needed_to_queue(connect_later: Any) -> None:
    """202 without a handler, too."""
    assert connect_later().post(make_body()).status == 202


def test_logs_hold_no_content(
    connect_background: Any, gate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither queueing nor refusing logs what payloads hold."""
    caplog.set_level(logging.DEBUG, logger="unisights")
    client = connect_background(handler=gate, queue_size=1)
    for _ in range(2):
        client.post(make_body(asset_id="tell-tale"))
    assert "queue_full" in caplog.text
    assert "tell-tale" not in caplog.text
