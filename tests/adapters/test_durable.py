"""Delivery from the spool, on every adapter."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_for
from tests.spools import close_spool, query
from tests.support import SESSION_ID, click, make_body, make_data, seal
from unisights import decode_unisights_payload


class _Failing:
    """A handler that fails until it is mended, and notes what it was given."""

    def __init__(self) -> None:
        self.is_mended = False
        self.calls: list[Any] = []

    def __call__(self, payload: Any, request: Any) -> None:
        self.calls.append((payload, request))
        if not self.is_mended:
            raise LookupError("no such place")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A spool's file; it is closed at the end in any case."""
    made = tmp_path / "spool.sqlite3"
    yield made
    close_spool(made)


@pytest.fixture
def connect_durable(connect: Callable[..., Any], path: Path) -> Callable[..., Any]:
    """Makes a client of the adapter under test that delivers from the spool."""

    def connect_with(**options: Any) -> Any:
        quick = {"pause": 0.01, "max_pause": 0.05}
        return connect(delivery="durable", spool=path, **{**quick, **options})

    return connect_with


def test_it_is_stored_before_the_answer(connect_durable: Any, path: Path) -> None:
    """At 202, the file holds the body as received, for as long as the handler fails."""
    client = connect_durable(handler=_Failing(), pause=600)
    answer = client.post(make_body())
    assert answer.status == 202
    assert answer.json() == {"status": "queued", "session_id": SESSION_ID}
    assert query(path, "SELECT raw FROM payloads JOIN waiting USING (id)") == [(make_body(),)]


def test_it_is_delivered_in_the_end(connect_durable: Any, path: Path) -> None:
    """A handler that comes back gets what it had failed with; then the file is empty."""
    handler = _Failing()
    client = connect_durable(handler=handler)
    assert client.post(make_body(), x_trace="abc").status == 202
    wait_for(lambda: len(handler.calls) >= 2, "the second attempt")
    handler.is_mended = True
    wait_for(lambda: query(path, "SELECT count(*) FROM payloads") == [(0,)], "the delivery")
    payload, request = handler.calls[-1]
    assert payload.raw == make_body()
    assert request.headers["x-trace"] == "abc"
    assert request.client == "192.0.2.7"


def test_the_next_process_resumes(connect_durable: Any, path: Path) -> None:
    """What is left at the end, plain or encrypted, is what the next one's first request starts."""
    sealed = json.dumps(seal(json.dumps(make_data()).encode())).encode()
    client = connect_durable(handler=_Failing(), pause=0)
    assert [client.post(body).status for body in (make_body(), sealed)] == [202, 202]
    close_spool(path)
    received = query(path, "SELECT content_id, raw, received_at FROM payloads")
    handler = _Failing()
    handler.is_mended = True
    connect_durable(handler=handler).post(make_body(asset_id="third"))
    wait_for(lambda: len(handler.calls) == 3, "the delivery of all")
    first, second = (
        next(payload for payload, _ in handler.calls if payload.raw == body)
        for body in (make_body(), sealed)
    )
    assert first == second
    assert second.encrypted
    # Whatever a payload says of itself, it says after the restart.
    (stored,) = [row for row in received if row[1] == sealed]
    expected = decode_unisights_payload(sealed)
    expected.received_at = second.received_at
    assert stored == (second.content_id, sealed, second.received_at)
    assert second.content_id == expected.content_id
    assert second.clock_skew == expected.clock_skew is not None


def test_a_full_spool_is_503(connect_durable: Any, path: Path) -> None:
    """With Retry-After and the origin's headers, as for any answer."""
    client = connect_durable(handler=_Failing(), spool_bytes=1, pause=600)
    assert client.post(make_body()).status == 202
    refused = client.post(make_body(), origin="https://page.example")
    assert refused.status == 503
    assert refused.json() == {"error": "the spool is full"}
    assert refused.header("retry-after") == "1"
    assert refused.header("access-control-allow-origin") == "https://page.example"


def test_a_spool_that_cannot_be_written_is_503(connect_durable: Any, path: Path) -> None:
    """What cannot be stored is not acknowledged."""
    client = connect_durable(handler=_Failing())
    path.mkdir()
    answer = client.post(make_body())
    assert (answer.status, answer.json()) == (503, {"error": "the spool cannot be written"})
    assert answer.header("retry-after") == "1"


def test_what_keeps_failing_goes_to_on_error(connect_durable: Any, path: Path) -> None:
    """Once it is a dead letter; it is kept in the file."""
    failed: list[Any] = []
    client = connect_durable(
        handler=_Failing(), attempts=2, on_error=lambda *given: failed.append(given)
    )
    client.post(make_body())
    wait_for(lambda: failed, "the call of on_error")
    ((payload, error),) = failed
    assert payload.data.session_id == SESSION_ID
    assert isinstance(error, LookupError)
    wait_for(lambda: query(path, "SELECT attempts FROM dead") == [(2,)], "the dead letter")


ONE_BAD = make_body(events=[click(x=0), {"type": "swipe"}, click(x=2)])


@pytest.mark.parametrize("invalid_events", ["reject", "quarantine"])
def test_what_is_rejected_is_in_the_file(
    connect_durable: Any, path: Path, invalid_events: str
) -> None:
    """Before the answer, beside what waits; on_reject gets it too."""
    seen: list[Any] = []
    client = connect_durable(
        handler=_Failing(), pause=600, on_reject=seen.append, invalid_events=invalid_events
    )
    is_refused = invalid_events == "reject"
    answer = client.post(ONE_BAD, x_trace="abc")
    assert answer.status == (422 if is_refused else 202)
    assert answer.json().get("quarantined") == (None if is_refused else 1)
    assert client.post(b"{").status == 400
    assert query(path, "SELECT raw, reason, status, quarantined FROM rejected ORDER BY id") == [
        (ONE_BAD, "invalid_events", 422, "[]")
        if is_refused
        else (ONE_BAD, "invalid_events", None, "[1]"),
        (b"{", "invalid_json", 400, "[]"),
    ]
    assert [rejection.raw for rejection in seen] == [ONE_BAD, b"{"]
    ((request,),) = query(path, "SELECT request FROM rejected WHERE status IS NOT 400")
    assert json.loads(str(request))["headers"]["x-trace"] == "abc"
    assert query(path, "SELECT count(*) FROM waiting") == [(0 if is_refused else 1,)]


def test_what_was_accepted_without_its_bad_events_stays_accepted(
    connect_durable: Any, path: Path
) -> None:
    """After a restart too, when such a body would be refused: the same events are delivered."""
    client = connect_durable(handler=_Failing(), pause=0, invalid_events="quarantine")
    assert client.post(ONE_BAD).status == 202
    close_spool(path)
    handler = _Failing()
    handler.is_mended = True
    client = connect_durable(handler=handler)
    assert client.post(ONE_BAD).status == 422
    wait_for(lambda: handler.calls, "the delivery")
    payload, _ = handler.calls[0]
    assert [event.data.x for event in payload.data.events] == [0, 2]
    assert (payload.quarantined, payload.raw) == ((1,), ONE_BAD)


def test_a_spool_that_cannot_be_written_refuses_as_ever(
    connect_durable: Any, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """422 stays 422, with on_reject; the log says that no record was kept."""
    seen: list[Any] = []
    client = connect_durable(handler=_Failing(), on_reject=seen.append)
    path.mkdir()
    assert client.post(b"{}").status == 422
    assert len(seen) == 1
    assert "a rejected body was not kept" in caplog.text
