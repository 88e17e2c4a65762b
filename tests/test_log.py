"""The log: codes and values in each record, silence about what is frequent, no payloads."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.endpoints import serve
from tests.options import make_options
from tests.processes import wait_for
from tests.spools import close_spool
from tests.support import click, make_body, make_data, seal
from unisights import Inline, RequestInfo, UnisightsOptions
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._runtime.log import ThrottledLog

INFO = RequestInfo(method="POST", path="/events", headers={"content-type": "application/json"})

MARKER = "tell-tale"


class _Handler:
    """Fails for payloads that say so, or waits."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()

    def __call__(self, payload: Any, request: Any) -> None:
        if payload.data.asset_id.startswith("broken"):
            raise LookupError("no such place")
        if payload.data.asset_id.startswith("waiting"):
            self.goes_on.wait(30)


@pytest.fixture
def handler() -> Iterator[_Handler]:
    """A handler; it goes on at the end in any case."""
    made = _Handler()
    yield made
    made.goes_on.set()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """All that was logged so far, with the attributes that formatters see."""
    caplog.set_level(logging.DEBUG, logger="unisights")

    def tell() -> str:
        attributes = (
            {name: value for name, value in vars(record).items() if name != "exc_info"}
            for record in caplog.records
        )
        return caplog.text + "".join(map(repr, attributes))

    return tell


def _body(label: str) -> bytes:
    return make_body(asset_id=f"{label} {MARKER}", page_url=f"https://{MARKER}.example/")


def _endpoint(**options: Any) -> SyncEndpoint:
    return SyncEndpoint(UnisightsOptions(**options), Inline())


def _send(endpoint: SyncEndpoint, body: bytes) -> int:
    return serve(endpoint, body).status


def _raise(_payload: Any, _error: Exception) -> None:
    raise LookupError("no place for that either")


REFUSED = [
    MARKER.encode(),
    b'{"data": "' + MARKER.encode() + b'"}',
    make_body(session_id=MARKER),
    make_body(utm_params={MARKER: 1}),
    make_body(events=[{"type": MARKER, "data": {}}]),
    make_body(events=[click(x=MARKER)]),
    json.dumps({**seal(json.dumps(make_data()).encode()), "site_id": MARKER}).encode(),
    json.dumps(seal(json.dumps(make_data(session_id=MARKER)).encode())).encode(),
]


@pytest.mark.parametrize("body", REFUSED)
def test_refusals_are_not_quoted(told: Callable[[], str], body: bytes) -> None:
    """Whatever is wrong with a body, the log has the reason's code alone."""
    endpoint = _endpoint()
    assert _send(endpoint, body) in {400, 422}
    assert "'event': 'refused'" in told()
    assert MARKER not in told()


@pytest.mark.parametrize("mode", ["inline", "background", "durable"])
def test_no_path_quotes_a_payload(
    mode: str, tmp_path: Path, handler: _Handler, told: Callable[[], str]
) -> None:
    """Handled, failed, a duplicate, dead, evicted, without room, drained, undelivered: nothing."""
    spool = tmp_path / "spool.sqlite3"
    bounds: dict[str, dict[str, Any]] = {
        "inline": {},
        "background": {"queue_size": 3, "drain_timeout": 0.05},
        "durable": {
            "spool": spool,
            "queue_size": 3,
            "drain_timeout": 0.05,
            "attempts": 2,
            "pause": 0.01,
            "dead_letter_bytes": 1,
            "spool_bytes": 2000,
        },
    }
    options = make_options(
        handler=handler, delivery=mode, duplicate_window=60, on_error=_raise, **bounds[mode]
    )
    endpoint = SyncEndpoint(options, Inline())
    for label in ("fine", "fine", "broken", "broken"):
        _send(endpoint, _body(label))
    wait_for(lambda: endpoint.collector.stats().failed > 0, "the failure")
    if mode == "durable":
        wait_for(lambda: "dead_letter_evicted" in told(), "the end of the dead letter")
    if mode != "inline":
        wait_for(lambda: endpoint.collector.stats().waiting == 0, "the handling of all")
        statuses = [_send(endpoint, _body(f"waiting {number}")) for number in range(12)]
        assert 503 in statuses
        endpoint.delivery.close()
        assert _send(endpoint, _body("late")) == 503
    close_spool(spool)
    assert "'event': 'on_error_failed'" in told()
    assert MARKER not in told()


def test_debug_quotes(told: Callable[[], str]) -> None:
    """The tests above can fail: in debug mode, the log holds what came."""
    for body in (_body("fine"), REFUSED[0]):
        endpoint = _endpoint(debug=True)
        before = len(told())
        _send(endpoint, body)
        assert MARKER in told()[before:]


def test_a_handlers_own_words_are_logged(told: Callable[[], str]) -> None:
    """The traceback of a user's exception is what the user wants to see."""

    def handler(payload: Any, request: Any) -> None:
        raise LookupError("in the handler")

    _send(_endpoint(handler=handler), _body("fine"))
    assert "LookupError: in the handler" in told()


def test_records_name_their_place(caplog: pytest.LogCaptureFixture) -> None:
    """Each has an event, its values, and the line that had something to say."""
    _send(_endpoint(), b"{}")
    (record,) = caplog.records
    shown = vars(record)
    assert (shown["event"], shown["reason"], shown["status"]) == ("refused", "invalid_payload", 422)
    assert record.filename == "collector.py"


def test_each_event_has_its_own_silence(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of one event does not keep another from being told; its own is told in numbers."""
    now = 0.0
    monkeypatch.setattr("unisights._runtime.log.time", SimpleNamespace(monotonic=lambda: now))
    quiet = ThrottledLog()
    for _ in range(1000):
        quiet.log(logging.WARNING, "refused", "refused with %d", 422, reason="invalid_json")
    quiet.log(logging.ERROR, "spool_failed", "the disk is full")
    now = 1.0
    quiet.log(logging.WARNING, "refused", "refused with %d", 413, reason="too_large")
    assert [record.getMessage() for record in caplog.records] == [
        "refused with 422",
        "the disk is full",
        "refused with 413 (and before that 999 × invalid_json)",
    ]
    assert vars(caplog.records[-1])["suppressed"] == {"invalid_json": 999}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_log() -> None:
    """Also if another thread of the parent was just about to."""
    quiet = ThrottledLog()
    with quiet._lock:
        child = os.fork()
        if not child:
            quiet.log(logging.DEBUG, "draining", "in the child")
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
