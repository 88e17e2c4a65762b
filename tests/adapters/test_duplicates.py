"""What comes again within the window is dropped, on every adapter, in every delivery."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.drivers import Answer
from tests.processes import wait_for
from tests.spools import close_spool
from tests.support import click, make_body, make_data, seal


class _Handler:
    """Notes what it is given; fails if it is told to, or waits."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.fails = False
        self.let_go = threading.Event()
        self.let_go.set()

    def __call__(self, payload: Any, request: Any) -> None:
        assert self.let_go.wait(30)
        if self.fails:
            raise LookupError("no such place")
        self.labels.append(payload.data.asset_id)


@pytest.fixture
def handler() -> Iterator[_Handler]:
    """A handler; it is let go at the end in any case."""
    made = _Handler()
    yield made
    made.let_go.set()


@pytest.fixture(params=["inline", "background", "durable"])
def connect_each(
    request: pytest.FixtureRequest,
    connect: Callable[..., Any],
    tmp_path: Path,
    handler: _Handler,
) -> Iterator[Callable[..., Any]]:
    """Makes a client of the adapter under test, in each delivery."""
    spool = tmp_path / "spool.sqlite3"
    more = {"spool": spool, "pause": 0.01} if request.param == "durable" else {}

    def connect_with(**options: Any) -> Any:
        return connect(delivery=request.param, handler=handler, **more, **options)

    yield connect_with
    handler.let_go.set()
    close_spool(spool)


def _shown(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.json()


def test_a_duplicate_is_dropped(connect_each: Any, handler: _Handler) -> None:
    """It is answered as the first was, and handled once; other bodies are handled."""
    client = connect_each(duplicate_window=60)
    first = client.post(make_body(asset_id="a"))
    assert first.status in {200, 202}
    again = [client.post(make_body(asset_id="a")) for _ in range(3)]
    assert [_shown(answer) for answer in again] == [_shown(first)] * 3
    assert client.post(make_body(asset_id="b")).status == first.status
    wait_for(lambda: "b" in handler.labels, "the handling of the last")
    assert sorted(handler.labels) == ["a", "b"]


def test_nothing_is_dropped_by_default(connect_each: Any, handler: _Handler) -> None:
    """Two equal bodies may be meant: both are handled."""
    client = connect_each()
    for _ in range(2):
        client.post(make_body(asset_id="a"))
    wait_for(lambda: handler.labels == ["a", "a"], "the handling of both")


def test_headers_make_no_difference(connect_each: Any, handler: _Handler) -> None:
    """The body alone tells a duplicate; an origin gets its headers all the same."""
    client = connect_each(duplicate_window=60)
    client.post(make_body(asset_id="a"), x_trace="1")
    again = client.post(make_body(asset_id="a"), x_trace="2", origin="https://page.example")
    assert again.header("access-control-allow-origin") == "https://page.example"
    client.post(make_body(asset_id="b"))
    wait_for(lambda: "b" in handler.labels, "the handling of the last")
    assert sorted(handler.labels) == ["a", "b"]


def test_encrypted_bodies_are_told_by_their_bytes(connect_each: Any, handler: _Handler) -> None:
    """The same ciphertext is a duplicate; the same session encrypted anew is not."""
    client = connect_each(duplicate_window=60)
    plaintext = json.dumps(make_data(asset_id="site-1", events=[click()])).encode()
    bodies = [json.dumps(seal(plaintext, bucket=bucket)).encode() for bucket in (1, 1, 2)]
    assert {client.post(body).status for body in bodies} <= {200, 202}
    wait_for(lambda: len(handler.labels) >= 2, "the handling of both")
    client.post(make_body(asset_id="last"))
    wait_for(lambda: "last" in handler.labels, "the handling of the last")
    assert sorted(handler.labels) == ["last", "site-1", "site-1"]


def test_what_was_refused_was_not_accepted(connect_each: Any, handler: _Handler) -> None:
    """A body that is refused is refused each time."""
    client = connect_each(duplicate_window=60)
    assert [client.post(b"{}").status for _ in range(2)] == [422, 422]


def test_after_a_failure_it_is_handled_again(connect: Any, handler: _Handler) -> None:
    """Inline, what the handler has raised for is not safe; the same body gets another chance."""
    client = connect(handler=handler, duplicate_window=60)
    handler.fails = True
    assert [client.post(make_body(asset_id="a")).status for _ in range(2)] == [500, 500]
    handler.fails = False
    assert [client.post(make_body(asset_id="a")).status for _ in range(2)] == [200, 200]
    assert handler.labels == ["a"]


def test_what_had_no_room_is_taken_later(connect: Any, handler: _Handler) -> None:
    """In the background, a 503 was not accepted; what is queued is safe, handled or not."""
    handler.let_go.clear()
    client = connect(delivery="background", handler=handler, duplicate_window=60, queue_size=1)
    assert client.post(make_body(asset_id="a")).status == 202
    assert client.post(make_body(asset_id="b")).status == 503
    assert client.post(make_body(asset_id="a")).status == 202
    handler.let_go.set()
    wait_for(lambda: client.post(make_body(asset_id="b")).status == 202, "room")
    wait_for(lambda: "b" in handler.labels, "the handling of both")
    assert handler.labels == ["a", "b"]
