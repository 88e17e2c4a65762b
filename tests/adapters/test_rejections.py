"""What is refused or quarantined, and who gets to know of it, on every adapter."""

import gzip
import json
import threading
from typing import Any

import pytest

from tests.adapters.drivers import Call, is_on_event_loop
from tests.support import SESSION_ID, click, make_body, make_data, seal
from unisights import SCHEMA_VERSION

ONE_BAD = make_body(events=[click(), {"type": "swipe"}, click(x=7)])


class _Rejections:
    """Notes what was rejected, and whether on an event loop."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.on_loop: list[bool] = []

    def note(self, rejection: Any) -> None:
        self.records.append(rejection)
        self.on_loop.append(is_on_event_loop())

    async def note_async(self, rejection: Any) -> None:
        self.note(rejection)


@pytest.fixture
def rejections() -> _Rejections:
    """Notes what was rejected."""
    return _Rejections()


@pytest.fixture(params=["note", "note_async"])
def on_reject(request: pytest.FixtureRequest, rejections: _Rejections) -> Any:
    """The same as a callable, sync and async."""
    return getattr(rejections, request.param)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, "invalid_json", "")),
        (b"\xff", (400, "invalid_json", "")),
        (b"{}", (422, "invalid_payload", "")),
        (make_body(page_url="x", events=[{}]), (422, "invalid_payload", "/data/page_url")),
        (ONE_BAD, (422, "invalid_events", "/data/events/1/type")),
        (json.dumps(seal(b"{")).encode(), (422, "undecryptable", "/data")),
        (json.dumps(seal(b"{}")).encode(), (422, "invalid_payload", "/data")),
    ],
    ids=["json", "utf-8", "payload", "session", "event", "sealed", "sealed-session"],
)
def test_what_is_refused_is_recorded(
    connect: Any,
    rejections: Any,
    on_reject: Any,
    body: bytes,
    expected: tuple[int, str, str],
) -> None:
    """A 400 or 422 hands on_reject the body as received, and why, before the answer."""
    answer = connect(on_reject=on_reject).call(
        Call(headers={"content-type": "application/json", "x-trace": "abc"}, chunks=(body,))
    )
    (rejection,) = rejections.records
    first = rejection.problems[0]
    assert (rejection.status, rejection.reason, first.pointer) == expected
    assert answer.status == rejection.status
    assert "quarantined" not in answer.json()
    assert rejection.raw == body
    assert answer.json()["error"] == first.message
    assert rejection.quarantined == ()
    assert rejection.schema_version == SCHEMA_VERSION
    assert rejection.received_at > 1_700_000_000_000
    assert rejection.request.headers["x-trace"] == "abc"
    assert rejection.request.client == "192.0.2.7"


def test_sync_callables_do_not_block_the_loop(connect_async: Any, rejections: _Rejections) -> None:
    """They run in a thread, as they may block."""
    connect_async(on_reject=rejections.note).post(b"{")
    assert rejections.on_loop == [False]


@pytest.mark.parametrize("invalid_events", ["reject", "quarantine"])
def test_on_reject_may_fail(connect: Any, caplog: Any, invalid_events: str) -> None:
    """What it raises is logged; the answer is what it would have been."""

    def fail(rejection: Any) -> None:
        raise LookupError("no such place")

    async def fail_async(rejection: Any) -> None:
        fail(rejection)

    for on_reject in (fail, fail_async):
        client = connect(on_reject=on_reject, invalid_events=invalid_events)
        assert client.post(b"{}").status == 422
        assert client.post(ONE_BAD).status == (200 if invalid_events == "quarantine" else 422)
    assert "on_reject failed" in caplog.text
    assert "no such place" in caplog.text


def test_what_was_not_read_is_not_recorded(connect: Any, rejections: Any) -> None:
    """Nor what was accepted, nor half a body: there is nothing that could be looked at."""
    client = connect(
        on_reject=rejections.note, max_payload_size=1000, allow_origins=["https://a.example"]
    )
    bomb = gzip.compress(b" " * 5000)
    assert client.post(make_body()).status == 200
    assert client.post(b"{", origin="https://b.example").status == 403
    assert client.post(b" " * 2000).status == 413
    assert client.post(bomb, content_encoding="gzip").status == 413
    assert client.call(Call(headers={"content-type": "text/plain"}, chunks=(b"{",))).status == 415
    client.call(Call(chunks=(b"{",), disconnects=True))
    assert rejections.records == []


def test_compressed_bodies_are_recorded(connect: Any, rejections: Any) -> None:
    """Inflated; what cannot be inflated, as it came."""
    client = connect(on_reject=rejections.note)
    assert client.post(gzip.compress(b"{}"), content_encoding="gzip").status == 422
    assert client.post(b"no gzip", content_encoding="gzip").status == 400
    assert [rejection.raw for rejection in rejections.records] == [b"{}", b"no gzip"]


@pytest.mark.parametrize("form", ["plain", "root", "envelope"])
def test_bad_events_are_quarantined(
    connect: Any, recorder: Any, rejections: Any, on_reject: Any, form: str
) -> None:
    """The good ones go on, in their order; 200 says how many did not; the record says which."""
    data = make_data(
        events=[click(x=True), click(x=1), {"type": "swipe"}, 5, click(x=2), {"type": "click"}]
    )
    body = json.dumps(data).encode()
    sent = {"data": data} if form == "plain" else seal(body, envelope=form == "envelope")
    raw = json.dumps(sent).encode()
    client = connect(handler=recorder, on_reject=on_reject, invalid_events="quarantine")
    answer = client.post(raw)
    assert answer.status == 200
    assert answer.json() == {"status": "received", "session_id": SESSION_ID, "quarantined": 4}
    (payload,) = recorder.payloads
    assert [event.data.x for event in payload.data.events] == [1, 2]
    assert payload.raw == raw
    assert payload.quarantined == (0, 2, 3, 5)
    assert payload.encrypted is (form != "plain")
    (rejection,) = rejections.records
    assert (rejection.reason, rejection.status) == ("invalid_events", None)
    assert rejection.raw == raw
    assert rejection.quarantined == (0, 2, 3, 5)
    assert {problem.event for problem in rejection.problems} == {0, 2, 3, 5}
    assert [problem.pointer for problem in rejection.problems if problem.event == 2] == [
        "/data/events/2/type"
    ]


def test_a_batch_of_bad_events_alone(connect: Any, recorder: Any) -> None:
    """The session goes on without events: it is valid, and says that the page was visited."""
    answer = connect(handler=recorder, invalid_events="quarantine").post(
        make_body(events=[{}, None])
    )
    assert (answer.status, answer.json()["quarantined"]) == (200, 2)
    assert recorder.payloads[0].data.events == []


def test_a_bad_session_is_refused_whole(connect: Any, recorder: Any, rejections: Any) -> None:
    """422 with the problems of both, the session's first: its events belong to nobody."""
    answer = connect(handler=recorder, on_reject=rejections.note, invalid_events="quarantine").post(
        make_body(session_id="x", events=[click(), {}])
    )
    assert answer.status == 422
    assert [problem["pointer"] for problem in answer.json()["errors"]] == [
        "/data/session_id",
        "/data/session_id",
        "/data/events/1",
    ]
    assert recorder.payloads == []
    assert rejections.records[0].quarantined == ()


def test_good_batches_are_answered_as_ever(connect: Any, rejections: Any) -> None:
    """Nothing was quarantined, and nothing is said of it."""
    answer = connect(on_reject=rejections.note, invalid_events="quarantine").post(
        make_body(events=[click()])
    )
    assert answer.json() == {"status": "received", "session_id": SESSION_ID}
    assert rejections.records == []


def test_the_background_gets_the_good_events(connect: Any, rejections: Any, on_reject: Any) -> None:
    """202 says how many are missing; the record was handed on before it."""
    handled = threading.Event()
    seen: list[Any] = []

    def handle(payload: Any, request: Any) -> None:
        seen.append(payload)
        handled.set()

    client = connect(
        handler=handle, delivery="background", on_reject=on_reject, invalid_events="quarantine"
    )
    answer = client.post(ONE_BAD)
    assert answer.status == 202
    assert answer.json() == {"status": "queued", "session_id": SESSION_ID, "quarantined": 1}
    assert len(rejections.records) == 1
    assert handled.wait(30)
    assert [event.data.x for event in seen[0].data.events] == [1, 7]


def test_inline_handlers_get_the_frameworks_request(connect: Any, recorder: Any) -> None:
    """With its body, though events of it were quarantined."""
    client = connect(handler=recorder, invalid_events="quarantine")
    client.post(ONE_BAD)
    client.post(make_body())
    first, second = recorder.requests
    assert type(first) is type(second)
