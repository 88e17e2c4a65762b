"""Durable delivery in one process: retries, order, dead letters, taking over, ending."""

import asyncio
import contextlib
import json
import logging
import os
import sqlite3
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import INFO, deliver, serve
from tests.options import make_options
from tests.processes import DEADLINE, PYTHON, process, read_to_end, read_until, wait_for
from tests.spools import fill, query
from tests.support import ROOT, SITE_ID, click, make_body, make_data, seal
from unisights import ConfigurationError, Inline, PermanentError, UndeliveredError
from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._http.asgi import ASGIBody
from unisights._runtime.callers import run_blocking
from unisights._runtime.ending import TimeLeft
from unisights._spool.clock import boot_clock
from unisights._spool.repair import repair_spool
from unisights._spool.store import Spool
from unisights._spool.writer import UPKEEP_SECONDS
from unisights.errors import StoreError


class _Handler:
    """Notes what it is given, and waits or fails if it is told to."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.begun: list[str] = []
        self.infos: list[Any] = []
        self.failing: set[str] = set()
        self.error: type[Exception] = LookupError
        self.goes_on = threading.Event()
        self.goes_on.set()

    def begin(self, payload: Any, info: Any) -> None:
        self.begun.append(payload.data.asset_id)
        self.infos.append(info)

    def end(self, payload: Any) -> None:
        label = payload.data.asset_id
        if label in self.failing:
            raise self.error(f"no place for {label}")
        self.labels.append(label)


class _SyncHandler(_Handler):
    def __call__(self, payload: Any, info: Any) -> None:
        self.begin(payload, info)
        assert self.goes_on.wait(30)
        self.end(payload)


class _AsyncHandler(_Handler):
    async def __call__(self, payload: Any, info: Any) -> None:
        self.begin(payload, info)
        # Not in the loop's thread pool, which has few threads.
        while not self.goes_on.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self.end(payload)


Make = Callable[..., SyncEndpoint]


@pytest.fixture(params=[_SyncHandler, _AsyncHandler])
def handler(request: pytest.FixtureRequest) -> Iterator[_Handler]:
    """A handler of either kind; it goes on at the end in any case."""
    made = request.param()
    yield made
    made.goes_on.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The spool's file."""
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def make(path: Path, handler: _Handler) -> Iterator[Make]:
    """Makes deliveries of that spool, and closes them."""
    made: list[SyncEndpoint] = []

    def make_endpoint(**options: Any) -> SyncEndpoint:
        settings = {
            "handler": handler,
            "spool": path,
            "pause": 0.01,
            "max_pause": 0.05,
            "drain_timeout": 5.0,
            **options,
        }
        endpoint = SyncEndpoint(make_options(delivery="durable", **settings), Inline())
        made.append(endpoint)
        return endpoint

    yield make_endpoint
    handler.goes_on.set()
    for endpoint in made:
        endpoint.delivery.close()


def _send(endpoint: SyncEndpoint, label: str = SITE_ID, **changes: Any) -> int:
    return serve(endpoint, make_body(asset_id=label, **changes)).status


def _waiting(path: Path) -> int:
    (found,) = query(path, "SELECT count(*) FROM waiting")
    return found[0]  # type: ignore[return-value]


def _dead(path: Path) -> list[tuple[object, ...]]:
    return query(path, "SELECT attempts, error FROM dead ORDER BY id")


def test_what_fails_is_tried_again(make: Make, handler: _Handler, path: Path) -> None:
    """Until it succeeds; the handler then gets what it got at first, and on_error nothing."""
    errors: list[Any] = []
    endpoint = make(on_error=lambda payload, error: errors.append(error))
    handler.failing = {"a"}
    assert _send(endpoint, "a") == 202
    assert _send(endpoint, "b") == 202
    wait_for(lambda: handler.begun.count("a") >= 3, "the third attempt")
    handler.failing.clear()
    wait_for(lambda: sorted(handler.labels) == ["a", "b"], "the success")
    wait_for(lambda: _waiting(path) == 0, "an empty spool")
    assert errors == []
    assert {info.headers["x-trace"] for info in handler.infos} == {"abc"}


def test_what_keeps_failing_becomes_a_dead_letter(
    make: Make, handler: _Handler, path: Path
) -> None:
    """After the last attempt, with its reason; on_error gets it once, with what was raised."""
    errors: list[Any] = []
    endpoint = make(attempts=3, on_error=lambda payload, error: errors.append((payload, error)))
    handler.failing = {"a"}
    _send(endpoint, "a")
    wait_for(lambda: errors, "the call of on_error")
    ((payload, error),) = errors
    assert payload.data.asset_id == "a"
    assert isinstance(error, LookupError)
    assert len(handler.begun) == 3
    wait_for(lambda: _dead(path) == [(3, "LookupError: no place for a")], "the dead letter")
    assert _waiting(path) == 0


def test_a_handler_can_say_never(
    make: Make, handler: _Handler, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A PermanentError makes a dead letter at once; its text is logged, without a traceback."""
    errors: list[Any] = []
    endpoint = make(attempts=50, on_error=lambda payload, error: errors.append(error))
    handler.failing = {"a"}
    handler.error = PermanentError
    _send(endpoint, "a")
    wait_for(lambda: errors, "the call of on_error")
    assert isinstance(errors[0], PermanentError)
    assert len(handler.begun) == 1
    wait_for(lambda: _dead(path) == [(1, "PermanentError: no place for a")], "the dead letter")
    assert "no place for a" in caplog.text
    assert "Traceback" not in caplog.text


def test_never_is_about_payloads(make: Make, handler: _Handler, path: Path) -> None:
    """A PermanentError of `open` is tried again; a group of them, of a task group, is never."""
    errors: list[Any] = []
    opened: list[int] = []

    def open_handler() -> None:
        opened.append(1)
        if len(opened) == 1:
            raise PermanentError("no such database")

    handler.open = open_handler  # type: ignore[attr-defined]
    endpoint = make(attempts=3, pause=0, on_error=lambda payload, error: errors.append(error))
    handler.failing = {"a"}
    handler.error = lambda text: ExceptionGroup("two tasks", [PermanentError(text)])  # type: ignore[assignment]
    _send(endpoint, "a")
    wait_for(lambda: errors, "the call of on_error")
    assert len(opened) == 2
    assert len(handler.begun) == 1
    wait_for(lambda: len(_dead(path)) == 1, "the dead letter")


def test_memory_may_come_back(
    make: Make, handler: _Handler, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payload of the spool that there is no memory to decode is attempted again."""
    fill(path, 1)
    endpoint = make(attempts=5, pause=0)
    context: Any = endpoint.delivery._context
    decode, failures = context.decode, [MemoryError()]

    def decode_with_little_memory(body: bytes, selection: Any) -> Any:
        if failures:
            raise failures.pop()
        return decode(body, selection)

    object.__setattr__(context, "decode", decode_with_little_memory)
    endpoint.delivery.open()
    wait_for(lambda: handler.labels, "the delivery")
    assert endpoint.control.stats().retried == 1
    assert _dead(path) == []


def test_what_is_too_old_becomes_a_dead_letter(make: Make, handler: _Handler, path: Path) -> None:
    """It is not tried any more."""
    errors: list[Any] = []
    fill(path, 1)
    query(path, "UPDATE waiting SET since = since - 100")
    make(max_age=50, on_error=lambda payload, error: errors.append(error)).delivery.open()
    wait_for(lambda: errors, "the call of on_error")
    assert isinstance(errors[0], UndeliveredError)
    wait_for(lambda: len(_dead(path)) == 1, "the dead letter")
    assert handler.begun == []


def test_what_cannot_be_decoded_becomes_a_dead_letter(
    make: Make, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Options that changed since do not lose it, nor stop the others."""
    first = make(server_secret="old", handler=_fail)
    body = json.dumps(seal(json.dumps(make_data()).encode(), server_secret="old")).encode()
    assert serve(first, body).status == 202
    first.delivery.close()
    make(server_secret="new").delivery.open()
    wait_for(lambda: len(_dead(path)) == 1, "the dead letter")
    assert "Decryption" in str(_dead(path)[0][1])
    assert _waiting(path) == 0


def _fail(payload: Any, info: Any) -> None:
    raise LookupError


def test_encrypted_payloads_are_resumed(make: Make, handler: _Handler) -> None:
    """What came encrypted is decrypted again, and says how it came and when."""
    first = make(handler=_fail, pause=0)
    body = json.dumps(seal(json.dumps(make_data()).encode())).encode()
    payload = first.collector.decode(body)
    payload.received_at = 1234
    run_blocking(first.delivery.deliver(INFO, payload, lambda: None, first.delivery.in_request))
    first.delivery.close()
    seen: list[Any] = []
    make(handler=lambda payload, info: seen.append((payload, info))).delivery.open()
    wait_for(lambda: seen, "the delivery")
    again, info = seen[0]
    assert again == payload
    assert (again.encrypted, again.raw, again.received_at) == (True, body, 1234)
    assert info.received_at == 1234


def test_dead_letters_are_bounded(
    make: Make, handler: _Handler, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest go first, and go to on_error, and to the log, before they are forgotten."""
    pushed_out: list[str] = []

    def on_error(payload: Any, error: Exception) -> None:
        if isinstance(error, UndeliveredError):
            pushed_out.append(payload.data.asset_id)

    fill(path, 10, dead=10)
    size = query(path, "SELECT max(size) FROM dead")[0][0]
    make(dead_letter_bytes=3 * size, on_error=on_error).delivery.open()  # type: ignore[operator]
    wait_for(lambda: len(_dead(path)) == 3, "the end of the oldest")
    assert pushed_out == [f"site-{n}" for n in range(7)]
    assert "a dead letter was evicted" in caplog.text


def test_any_number_of_dead_letters_is_bounded(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go as fast as they come, not a few at each look; each is handed over once."""
    monkeypatch.setattr("unisights._spool.writer.UPKEEP_SECONDS", 3600)
    dropped: list[Any] = []
    fill(path, 500, dead=500)
    make(
        dead_letter_bytes=1, on_error=lambda payload, _error: dropped.append(payload)
    ).delivery.open()
    wait_for(lambda: len(dropped) >= 500 and not _dead(path), "room among the dead letters")
    assert len(dropped) == 500


def test_what_is_tried_again_is_not_dropped(make: Make, handler: _Handler, path: Path) -> None:
    """A dead letter that a person lets be tried again while it is being dropped is delivered."""
    is_reported, goes_on = threading.Event(), threading.Event()

    def on_error(payload: Any, error: Exception) -> None:
        is_reported.set()
        goes_on.wait(30)

    fill(path, 1, dead=1)
    handler.goes_on.clear()
    make(dead_letter_bytes=1, on_error=on_error).delivery.open()
    assert is_reported.wait(30)
    with contextlib.closing(Spool(path)) as spool, spool.transaction():
        assert spool.retry_dead() == 1
    wait_for(lambda: handler.begun, "the next try")
    goes_on.set()
    # By then, what was to be forgotten has been.
    time.sleep(0.2)
    assert _waiting(path) == 1
    handler.goes_on.set()
    wait_for(lambda: handler.labels == ["site-0"], "the delivery")


def test_a_full_spool_refuses(make: Make, handler: _Handler, path: Path) -> None:
    """503 beyond spool_bytes, counted over all processes; room comes back."""
    handler.goes_on.clear()
    fill(path, 1)
    size = query(path, "SELECT size FROM waiting")[0][0]
    first = make(spool_bytes=3 * size + 100)  # type: ignore[operator]
    second = make(spool_bytes=3 * size + 100)  # type: ignore[operator]
    assert [_send(c) for c in (first, second, first, second)] == [202, 202, 503, 503]
    handler.goes_on.set()
    wait_for(lambda: _send(second) == 202, "room")


def test_one_alone_always_fits(make: Make) -> None:
    """However small the bound: else nothing could ever be taken."""
    assert _send(make(spool_bytes=1)) == 202


def test_memory_is_bounded(make: Make, handler: _Handler, path: Path) -> None:
    """More than queue_size wait in the file alone, and are handled in turn."""
    handler.goes_on.clear()
    endpoint = make(queue_size=3, max_concurrency=1)
    labels = [f"n{n}" for n in range(20)]
    assert [_send(endpoint, label) for label in labels] == [202] * 20
    assert query(path, "SELECT count(*) FROM waiting WHERE owner != 0") == [(3,)]
    handler.goes_on.set()
    wait_for(lambda: len(handler.labels) == 20, "the handling of all")
    assert handler.labels == labels


def test_requests_share_commits(make: Make, path: Path) -> None:
    """Requests that wait at the same time are committed together."""
    endpoint = make()
    endpoint.delivery.open()
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: _send(endpoint), range(500)))
    assert statuses == [202] * 500
    ((stored, commits),) = query(path, "SELECT stored, commits FROM state")
    assert stored == 500
    assert commits < 400  # type: ignore[operator]


def test_requests_on_event_loops(make: Make, handler: _Handler) -> None:
    """Requests of several loops wait without blocking them."""
    endpoint = make()

    async def send_many() -> list[int]:
        responses = await asyncio.gather(*(deliver(endpoint, make_body()) for _ in range(100)))
        return [response.status for response in responses]

    with ThreadPoolExecutor(3) as pool:
        for statuses in pool.map(lambda _: asyncio.run(send_many()), range(3)):
            assert statuses == [202] * 100
    wait_for(lambda: len(handler.labels) == 300, "the handling of all")


def test_a_cancelled_request_hurts_nobody(make: Make, handler: _Handler) -> None:
    """A request that nobody waits for any more is delivered all the same, as are the others."""
    endpoint = make()
    endpoint.delivery.open()

    async def send_two() -> int:
        gone = asyncio.ensure_future(deliver(endpoint, make_body()))
        await asyncio.sleep(0)
        gone.cancel()
        return (await deliver(endpoint, make_body())).status

    assert asyncio.run(send_two()) == 202
    wait_for(lambda: len(handler.labels) == 2, "the handling of both")


def test_a_session_in_order(make: Make, handler: _Handler) -> None:
    """Ordered, a session's later payloads wait for a rescheduled one; other sessions do not."""
    other = "00000000-0000-4000-8000-000000000000"
    endpoint = make(ordered=True, max_concurrency=4)
    handler.failing = {"a1"}
    for number in range(5):
        _send(endpoint, f"a{number}")
    _send(endpoint, "b", session_id=other)
    wait_for(lambda: handler.begun.count("a1") >= 3 and "b" in handler.labels, "some attempts")
    assert [label for label in handler.labels if label != "b"] == ["a0"]
    handler.failing.clear()
    wait_for(lambda: len(handler.labels) == 6, "the handling of all")
    assert [label for label in handler.labels if label != "b"] == ["a0", "a1", "a2", "a3", "a4"]


def test_closing_leaves_the_rest_in_the_spool(make: Make, handler: _Handler, path: Path) -> None:
    """What runs may end; what has not begun stays, goes to nobody's on_error, and is resumed."""
    errors: list[Any] = []
    handler.goes_on.clear()
    endpoint = make(max_concurrency=2, on_error=lambda payload, error: errors.append(error))
    for number in range(6):
        _send(endpoint, f"n{number}")
    wait_for(lambda: len(handler.begun) == 2, "the start of two")
    threading.Timer(0.2, handler.goes_on.set).start()
    endpoint.delivery.close()
    assert sorted(handler.labels) == ["n0", "n1"]
    assert _waiting(path) == 4
    assert query(path, "SELECT count(*) FROM owners") == [(0,)]
    assert _send(endpoint) == 503
    assert not list(path.parent.glob("*-owner-*"))
    endpoint.delivery.open()
    wait_for(lambda: len(handler.labels) == 6, "the handling of the rest")
    assert sorted(handler.labels) == [f"n{n}" for n in range(6)]
    assert errors == []


def test_what_runs_while_closing_is_not_taken_over(
    make: Make, handler: _Handler, path: Path
) -> None:
    """A sibling takes what has not begun at once, and leaves alone what may still end."""
    handler.goes_on.clear()
    endpoint = make(max_concurrency=1, drain_timeout=20)
    for label in "abc":
        _send(endpoint, label)
    wait_for(lambda: handler.begun, "the start")
    make().delivery.open()
    closing = threading.Thread(target=endpoint.delivery.close)
    closing.start()
    wait_for(lambda: len(handler.begun) == 3, "the taking over")
    time.sleep(1.5)
    handler.goes_on.set()
    closing.join()
    wait_for(lambda: _waiting(path) == 0, "the handling of all")
    assert sorted(handler.begun) == ["a", "b", "c"]


def test_closing_does_not_wait_forever(make: Make, handler: _Handler, path: Path) -> None:
    """What runs longer than drain_timeout is somebody else's to do again."""
    handler.goes_on.clear()
    endpoint = make(drain_timeout=0.2)
    _send(endpoint)
    wait_for(lambda: handler.begun, "the start")
    began = time.monotonic()
    endpoint.delivery.close()
    assert time.monotonic() - began < 10
    assert query(path, "SELECT owner FROM waiting") == [(0,)]


def test_while_draining_payloads_are_taken(make: Make, handler: _Handler, path: Path) -> None:
    """Held signals cost no beacon: what comes until the end goes into the spool."""
    handler.goes_on.clear()
    endpoint = make()
    _send(endpoint, "a")
    wait_for(lambda: handler.begun, "the start")
    left = TimeLeft.alone(5.0)
    drained = threading.Thread(target=endpoint.delivery.drain_at_signal, args=(left,))
    drained.start()
    wait_for(lambda: endpoint.delivery._runner.running.writer._claims.is_closed, "the beginning")  # type: ignore[union-attr]
    assert _send(endpoint, "b") == 202
    handler.goes_on.set()
    drained.join()
    assert _send(endpoint, "c") == 202
    endpoint.delivery.close()
    assert handler.labels == ["a"]
    assert _waiting(path) == 2


def test_a_sibling_takes_over_what_a_dead_process_left(
    make: Make, handler: _Handler, path: Path
) -> None:
    """Within about a second, with nobody asking it to."""
    fill(path, 3)
    with Spool(path).transaction() as spool:
        spool.owners.add(77)
        assert len(spool.claim(77, rows=9, size=10**9)) == 3
    spool.close()
    endpoint = make()
    endpoint.delivery.open()
    wait_for(lambda: len(handler.labels) == 3, "the taking over")
    assert query(path, "SELECT count(*) FROM owners WHERE id = 77") == [(0,)]


def test_what_a_live_process_has_is_left_alone(make: Make, handler: _Handler, path: Path) -> None:
    """However long it takes: its lock says that it lives."""
    handler.goes_on.clear()
    first, second = make(max_concurrency=1), make()
    _send(first, "a")
    second.delivery.open()
    time.sleep(2.5)
    assert handler.begun == ["a"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_begins_anew(make: Make, handler: _Handler, path: Path) -> None:
    """A child has its own connection and lock; the parent's lock ends with the parent."""
    endpoint = make()
    _send(endpoint, "parent")
    wait_for(lambda: _waiting(path) == 0, "the delivery")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = _send(endpoint, "child")
        wait_for(lambda: handler.labels[-1] == "child", "the child's delivery")
        endpoint.delivery.close()
        os.write(writer, f"{status} {handler.labels[-1]}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"202 child"
    os.close(reader)
    os.close(writer)
    assert _send(endpoint, "again") == 202
    wait_for(lambda: handler.labels == ["parent", "again"], "the parent's delivery")


def test_a_spool_that_cannot_be_used_refuses(
    make: Make, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """503 and a log entry that says why; the lifespan's start fails; without the file, it works."""
    endpoint = make()
    path.write_text("my notes, which are longer than the header of a SQLite file would be. " * 3)
    assert _send(endpoint) == 503
    assert "something else" in caplog.text
    with pytest.raises(StoreError, match="something else"):
        endpoint.delivery.open()
    path.unlink()
    wait_for(lambda: _send(endpoint) == 202, "a new file")


def test_a_spool_is_checked_when_the_endpoint_is_made(make: Make, path: Path) -> None:
    """Without waiting for a request."""
    path.write_text("my notes, which are longer than the header of a SQLite file would be. " * 3)
    with pytest.raises(StoreError, match="something else"):
        make()


def test_a_write_that_fails_is_503_and_nothing_is_forgotten(
    make: Make, handler: _Handler, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing can be written, payloads are refused; what was delivered is not repeated."""
    endpoint = make()
    _send(endpoint, "first")
    wait_for(lambda: _waiting(path) == 0, "the delivery")
    handler.goes_on.clear()
    _send(endpoint, "a")
    spool = endpoint.delivery._runner.running.writer._spool  # type: ignore[union-attr]
    spool._connection.execute("PRAGMA query_only = ON")
    handler.goes_on.set()
    wait_for(lambda: "a" in handler.labels, "the handling")
    assert _send(endpoint, "b") == 503
    time.sleep(0.2)
    assert _waiting(path) == 1
    spool._connection.execute("PRAGMA query_only = OFF")
    wait_for(lambda: _waiting(path) == 0, "the settling")
    assert _send(endpoint, "c") == 202
    wait_for(lambda: handler.labels == ["first", "a", "c"], "the handling")
    assert handler.begun.count("a") == 1


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
@pytest.mark.parametrize("is_async", [False, True])
def test_workers_outlive_whatever_is_raised(
    make: Make, error: BaseException, is_async: bool
) -> None:
    """A handler that ends its thread or task by force fails, and is called again."""
    calls: list[Any] = []

    def handle(payload: Any, info: Any) -> None:
        calls.append(payload)
        if len(calls) == 1:
            raise error

    async def handle_async(payload: Any, info: Any) -> None:
        handle(payload, info)

    endpoint = make(handler=handle_async if is_async else handle, max_concurrency=1)
    _send(endpoint)
    wait_for(lambda: len(calls) == 2, "the second call")


def test_workers_outlive_what_on_error_raises(make: Make, path: Path) -> None:
    """An `on_error` that ends its thread by force ends none that others need."""

    def end(_payload: Any, _error: Any) -> None:
        raise SystemExit(3)

    endpoint = make(handler=_fail, on_error=end, attempts=1, max_concurrency=1)
    for _ in range(3):
        assert _send(endpoint) == 202
    wait_for(lambda: len(_dead(path)) == 3, "the dead letters")


class _WordlessError(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize("error", [LookupError("\ud800 of a visitor"), _WordlessError()])
def test_the_words_of_an_exception_stop_nothing(
    make: Make, handler: _Handler, path: Path, error: Exception
) -> None:
    """It may quote what no encoder takes, or have none: it is noted, and the spool goes on."""

    def fail_once(payload: Any, info: Any) -> None:
        if payload.data.asset_id == "bad":
            raise error
        handler.labels.append(payload.data.asset_id)

    endpoint = make(handler=fail_once, attempts=2)
    assert _send(endpoint, "bad") == 202
    wait_for(lambda: len(_dead(path)) == 1, "the dead letter")
    ((_attempts, reason),) = _dead(path)
    assert type(error).__name__ in str(reason)
    assert _send(endpoint, "good") == 202
    wait_for(lambda: handler.labels == ["good"], "the delivery")


def test_what_cannot_be_handed_over_is_tried_again(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If no event loop is to be had, such as with no descriptors left, payloads wait; once each."""
    labels: list[str] = []

    async def note(payload: Any, _info: Any) -> None:
        labels.append(payload.data.asset_id)

    def have_no_loop() -> Any:
        raise OSError(24, "Too many open files")

    endpoint = make(handler=note)
    monkeypatch.setattr("unisights._spool.workers.shared_loop", have_no_loop)
    assert _send(endpoint, "a") == 202
    assert _send(endpoint, "b") == 202
    wait_for(lambda: "Too many open files" in caplog.text, "the report")
    monkeypatch.undo()
    wait_for(lambda: _waiting(path) == 0, "the delivery")
    assert sorted(labels) == ["a", "b"]
    assert endpoint.collector.stats().queued == 2


def _count_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors by /proc")
@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), sqlite3.DatabaseError("x")])
def test_a_start_that_fails_halfway_refuses(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """503, counted, with nothing left open; afterwards, it works."""
    endpoint = make()

    def fail(*_arguments: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("unisights._spool.process_locks.ProcessLocks.register", fail)
        assert _send(endpoint) == 503
        before = _count_files()
        for _ in range(3):
            endpoint.delivery._runner._reopen_at = 0.0
            assert _send(endpoint) == 503
        assert _count_files() == before
    assert endpoint.collector.stats().refused["spool_failed"] == 4
    endpoint.delivery.open()
    assert _send(endpoint) == 202


def test_without_threads_payloads_are_refused(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, in both colours; no lock is left behind that looks like a live process."""
    endpoint = make()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert _send(endpoint) == 503
        endpoint.delivery._runner._reopen_at = 0.0
        # `asyncio.run` would need a thread at its end.
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            response = loop.run_until_complete(deliver(endpoint, make_body()))
        assert response.status == 503
    assert not list(path.parent.glob("*-owner-*"))
    assert endpoint.collector.stats().refused["spool_failed"] == 2
    endpoint.delivery.open()
    assert _send(endpoint) == 202


def test_eviction_goes_on_once_there_are_threads(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no thread can be started for the report, dead letters are evicted later."""
    fill(path, 5, dead=5)
    start = threading.Thread.start
    refused: list[str] = []

    def refuse_reports(thread: threading.Thread) -> None:
        is_spools = threading.current_thread().name == "unisights-spool"
        if is_spools and not thread.name.startswith("unisights") and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_reports)
    make(dead_letter_bytes=1).delivery.open()
    wait_for(lambda: not _dead(path), "the eviction")
    assert refused


def test_a_spool_that_stays_away_holds_no_requests(make: Make, path: Path) -> None:
    """The error that refuses them is the same for a while, and remembers none of them."""
    endpoint = make()
    path.write_text("my notes, which are longer than the header of a SQLite file would be. " * 3)
    depths = set()
    for _ in range(20):
        assert _send(endpoint) == 503
        assert endpoint.delivery._runner._error is not None
        endpoint.delivery._runner._reopen_at = time.monotonic() + 60
        depths.add(len(traceback.extract_tb(endpoint.delivery._runner._error.__traceback__)))
    assert max(depths) < 15


def test_what_was_not_committed_is_not_counted(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as stored nor as a commit."""
    endpoint = make(handler=_fail, pause=600)
    endpoint.delivery.open()
    writer = endpoint.delivery._runner.running.writer  # type: ignore[union-attr]
    reject = writer._store_rejections

    def have_no_room(_puts: Any) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(writer, "_store_rejections", have_no_room)
    assert _send(endpoint) == 503
    monkeypatch.setattr(writer, "_store_rejections", reject)
    assert _send(endpoint) == 202
    assert query(path, "SELECT stored, commits FROM state") == [(1, 1)]
    assert endpoint.collector.stats().queued == 1


def test_quarantined_indexes_keep_their_order(make: Make, path: Path) -> None:
    """From the file, a payload has them as it had them when it was accepted."""
    indexes = (1, 8, 9, 64, 100)
    events = [{} if index in indexes else click() for index in range(101)]
    got: list[Any] = []
    first = make(handler=_fail, pause=600, invalid_events="quarantine")
    assert serve(first, make_body(events=events)).status == 202
    first.delivery.close()
    query(path, "UPDATE waiting SET due = 0")
    make(handler=lambda payload, _info: got.append(payload.quarantined)).delivery.open()
    wait_for(lambda: got, "the delivery")
    assert got == [indexes]


def test_two_handlers_need_two_spools(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """One process cannot tell whose payloads are whose; the same handler may have two endpoints.

    Where no server opens them, the second refuses, and the log says why.
    """
    first = make()
    first.delivery.open()
    make().delivery.open()
    other = make(handler=_fail)
    with pytest.raises(ConfigurationError, match="a spool of its own"):
        other.delivery.open()
    assert _send(other) == 503
    assert serve(other, b"{").status == 400
    assert asyncio.run(deliver(other, make_body())).status == 503
    assert caplog.text.count("a spool of its own") >= 1
    assert other.collector.stats().refused["spool_failed"] == 2


@pytest.mark.parametrize(
    "differing",
    [
        {"server_secret": "another"},
        {"validate_schema": False},
        {"validate_required_fields": False},
        {"ordered": True},
    ],
)
def test_endpoints_of_one_spool_agree(make: Make, differing: dict[str, Any]) -> None:
    """Else one would put among the dead letters what the other has accepted, or not keep order."""
    make().delivery.open()
    with pytest.raises(ConfigurationError, match=f"another {next(iter(differing))}: give each"):
        make(**differing).delivery.open()


def test_a_log_that_raises_stops_nothing(make: Make, handler: _Handler, path: Path) -> None:
    """A filter of the log may raise: what fails is tried again, and the next has its turn."""

    def refuse(record: logging.LogRecord) -> bool:
        raise ValueError("what a filter does not expect")

    log = logging.getLogger("unisights")
    labels = [f"site-{number}" for number in range(5)]
    handler.failing = {*labels}
    log.addFilter(refuse)
    try:
        endpoint = make(max_concurrency=2, attempts=3)
        for label in labels:
            _send(endpoint, label)
        wait_for(lambda: len(_dead(path)) == 5, "the dead letters")
        _send(endpoint, "last")
        wait_for(lambda: handler.labels == ["last"], "the delivery")
    finally:
        log.removeFilter(refuse)


def test_a_long_read_is_told_of(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads the spool in one transaction stops nothing, but its log grows: that is said."""
    monkeypatch.setattr("unisights._spool.upkeep._LONG_WAL", 8 * 1024 * 1024)
    endpoint = make()
    assert _send(endpoint) == 202
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM payloads").fetchall()
        for _ in range(10):
            assert _send(endpoint, entry_page=f"https://{'x' * 1_000_000}/") == 202
        wait_for(lambda: "something keeps reading the spool" in caplog.text, "the warning")


def test_a_spool_by_two_names(make: Make, handler: _Handler, path: Path, tmp_path: Path) -> None:
    """Whoever uses it by a link to the file sees who is alive, and takes nothing over."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "there" / "link.sqlite3"
    link.symlink_to(path)
    handler.goes_on.clear()
    _send(make(max_concurrency=1), "a")
    _send(make(max_concurrency=1, spool=link), "b")
    wait_for(lambda: len(handler.begun) == 2, "both calls")
    time.sleep(2 * UPKEEP_SECONDS)
    assert sorted(handler.begun) == ["a", "b"]
    assert [file.name for file in link.parent.iterdir()] == ["link.sqlite3"]


@pytest.mark.parametrize("session", [{"a": 1}, [1], 1.5, True, 10**30, None, "\ud800"])
def test_sessions_of_any_kind(make: Make, handler: _Handler, session: Any) -> None:
    """What is not checked is stored too, whatever it is, and does no harm to others' commits."""
    endpoint = make(validate_schema=False, validate_required_fields=False, ordered=True)
    assert _send(endpoint, "odd", session_id=session) == 202
    wait_for(lambda: handler.labels == ["odd"], "the delivery")


STUCK = """\
import sys, threading
from flask import Flask
from tests.adapters.drivers import Call, call_wsgi
from tests.support import make_body
from unisights import Durable, Retry, UnisightsOptions
from unisights.flask import unisights_flask

calls, stuck = threading.Semaphore(0), threading.Event()

def hang(*arguments):
    calls.release()
    stuck.wait()

class Blocks:
    async def __call__(self, payload, request):
        hang()
    async def close(self):
        pass

class HangsAtItsStart:
    async def __call__(self, payload, request):
        pass
    def open(self):
        hang()

class HangsAtItsEnd:
    def __call__(self, payload, request):
        calls.release()
    def close(self):
        hang()

async def fail(payload, request):
    raise LookupError

spool, kind = sys.argv[1:]
handler = {
    "handler": Blocks(), "open": HangsAtItsStart(), "close": HangsAtItsEnd(), "on_error": fail
}[kind]
app = Flask("app")
app.register_blueprint(unisights_flask(UnisightsOptions(
    handler=handler,
    delivery=Durable(spool, drain_timeout=0.2, retry=Retry(attempts=1)),
    on_error=hang,
)))
call_wsgi(app, Call(headers={"content-type": "application/json"}, chunks=(make_body(),)))
calls.acquire()
import unisights._runtime.ending
unisights._runtime.ending.CLOSE_SECONDS = 0.2
"""


@pytest.mark.parametrize("kind", ["handler", "open", "close", "on_error"])
def test_what_hangs_does_not_hold_up_the_end(kind: str, path: Path) -> None:
    """The process ends, even if a handler blocks its loop, or its open, close or on_error hangs."""
    command = [PYTHON, "-c", STUCK, str(path), kind]
    subprocess.run(command, cwd=ROOT, check=True, timeout=DEADLINE)


def test_logs_hold_no_content(
    make: Make, handler: _Handler, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither storing nor failing logs what payloads hold."""
    caplog.set_level(logging.DEBUG, logger="unisights")
    endpoint = make(handler=_fail, attempts=2)
    _send(endpoint, "tell-tale")
    wait_for(lambda: "a dead letter" in caplog.text, "the dead letter")
    assert "tell-tale" not in caplog.text


# Draining.


def test_draining_waits_for_what_was_stored_before(make: Make, handler: _Handler) -> None:
    """Later payloads are not waited for; a dead letter has been dealt with."""
    endpoint = make(max_concurrency=1, attempts=2)
    handler.failing = {"dead"}
    handler.goes_on.clear()
    _send(endpoint, "dead")
    _send(endpoint, "a")
    drained: list[bool] = []
    drain = threading.Thread(target=lambda: drained.append(endpoint.control.drain(30)))
    drain.start()
    wait_for(lambda: _is_draining(endpoint), "the beginning")
    handler.goes_on.set()
    drain.join()
    assert drained == [True]
    assert endpoint.control.stats().dead == 1
    assert "a" in handler.labels


def _is_draining(endpoint: SyncEndpoint) -> bool:
    drains = endpoint.delivery._runner.running.writer._drains._drains  # type: ignore[attr-defined]
    return any(drain.last for drain in drains)


def test_what_waits_for_its_next_attempt_is_waited_for(make: Make) -> None:
    """Draining takes too long then, and says so; the payload stays in the spool."""
    endpoint = make(handler=_fail, pause=600)
    _send(endpoint)
    wait_for(lambda: endpoint.control.stats().retried, "the failure")
    assert endpoint.control.drain(0.1) is False


def test_draining_opens_the_spool(make: Make, handler: _Handler, path: Path) -> None:
    """So it waits for what earlier processes have left; after closing, it cannot know."""
    fill(path, 5)
    endpoint = make()
    assert endpoint.control.drain(30) is True
    assert len(handler.labels) == 5
    endpoint.control.close()
    assert endpoint.control.drain(30) is False
    endpoint.delivery.open()
    assert endpoint.control.drain(30) is True


def test_closing_ends_a_drain(make: Make, handler: _Handler) -> None:
    """Whoever waits is told that it has not happened."""
    handler.goes_on.clear()
    endpoint = make(drain_timeout=0.1)
    _send(endpoint)
    drained: list[bool] = []
    drain = threading.Thread(target=lambda: drained.append(endpoint.control.drain(30)))
    drain.start()
    wait_for(lambda: _is_draining(endpoint), "the beginning")
    endpoint.control.close()
    drain.join()
    assert drained == [False]


def test_a_drain_for_what_another_endpoint_handles(make: Make, handler: _Handler) -> None:
    """The spool is drained, whoever works on its payloads."""
    handler.goes_on.clear()
    first, second = make(), make()
    _send(first, "a")
    wait_for(lambda: handler.begun, "the call")
    assert second.control.drain(0.1) is False
    handler.goes_on.set()
    assert second.control.drain(30) is True
    assert handler.labels == ["a"]


# Duplicates.


def test_a_batch_holds_a_body_once(
    make: Make, handler: _Handler, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal bodies that come into the same transaction are stored once, and all are answered."""
    endpoint = make(duplicate_window=60)
    endpoint.delivery.open()
    assert endpoint.delivery._runner.running is not None
    writer = endpoint.delivery._runner.running.writer
    other = Spool(path)
    put, puts = writer.put, []

    def count_and_put(item: Any) -> None:
        put(item)
        puts.append(item)

    monkeypatch.setattr(writer, "put", count_and_put)
    with ThreadPoolExecutor(16) as pool:
        with other.transaction():
            # The writer waits for this transaction with some of them in hand; the rest comes next.
            sends = [pool.submit(_send, endpoint, f"site-{number % 2}") for number in range(16)]
            wait_for(lambda: len(puts) == 16, "all of them")
        assert {send.result() for send in sends} == {202}
    other.close()
    wait_for(lambda: _waiting(path) == 0, "the delivery")
    assert sorted(handler.labels) == ["site-0", "site-1"]
    assert query(path, "SELECT stored FROM state") == [(2,)]
    assert endpoint.collector.stats().duplicate == 14


def test_duplicates_are_known_after_a_restart(make: Make, handler: _Handler, path: Path) -> None:
    """The next process of the host drops what the last one had stored, delivered or not."""
    first = make(duplicate_window=60)
    _send(first, "delivered")
    wait_for(lambda: handler.labels == ["delivered"], "the delivery")
    first.delivery.close()
    handler.labels.clear()
    second = make(duplicate_window=60)
    assert [_send(second, label) for label in ("delivered", "new")] == [202, 202]
    wait_for(lambda: _waiting(path) == 0, "the delivery")
    assert handler.labels == ["new"]
    assert second.collector.stats().duplicate == 1


def test_what_had_no_room_is_no_duplicate(make: Make, handler: _Handler, path: Path) -> None:
    """A body that was answered 503 is stored when it comes again; a duplicate needs no room."""
    handler.goes_on.clear()
    endpoint = make(duplicate_window=60, spool_bytes=1)
    assert [_send(endpoint, label) for label in ("a", "b", "a")] == [202, 503, 202]
    handler.goes_on.set()
    wait_for(lambda: _waiting(path) == 0, "the delivery")
    assert _send(endpoint, "b") == 202
    wait_for(lambda: sorted(handler.labels) == ["a", "b"], "the delivery of both")


def test_what_could_not_be_written_is_no_duplicate(
    make: Make, handler: _Handler, path: Path
) -> None:
    """A transaction that fails leaves nothing remembered."""
    endpoint = make(duplicate_window=60)
    endpoint.delivery.open()
    assert endpoint.delivery._runner.running is not None
    seen = endpoint.delivery._runner.running.writer._spool.seen
    adds = seen.add

    def fail(*arguments: Any) -> None:
        adds(*arguments)
        raise sqlite3.OperationalError("disk I/O error")

    seen.add = fail  # type: ignore[method-assign]
    assert _send(endpoint, "a") == 503
    seen.add = adds  # type: ignore[method-assign]
    assert [_send(endpoint, "a") for _ in range(2)] == [202, 202]
    wait_for(lambda: _waiting(path) == 0, "the delivery")
    assert handler.labels == ["a"]


def test_what_had_its_time_is_forgotten(make: Make, handler: _Handler, path: Path) -> None:
    """The table empties itself, also if nothing more comes; then the body is new."""
    endpoint = make(duplicate_window=0.2)
    _send(endpoint, "a")
    assert query(path, "SELECT count(*) FROM seen") == [(1,)]
    wait_for(lambda: query(path, "SELECT count(*) FROM seen") == [(0,)], "the purge")
    _send(endpoint, "a")
    wait_for(lambda: handler.labels == ["a", "a"], "the second delivery")


def test_a_restart_of_the_host_is_no_eternity(make: Make, path: Path) -> None:
    """What the clock of an earlier start has left is remembered for one more window at most."""
    first = make(duplicate_window=60)
    _send(first, "a")
    first.delivery.close()
    query(path, "UPDATE seen SET until = 1e12")
    second = make(duplicate_window=60)
    second.delivery.open()
    ((until,),) = query(path, "SELECT until FROM seen")
    assert float(str(until)) <= boot_clock() + 60


SENDING = """\\
import sys
from tests.endpoints import serve
from tests.support import make_body
from unisights import Durable, Inline, UnisightsOptions
from unisights._endpoint.synchronous import SyncEndpoint

options = UnisightsOptions(
    delivery=Durable(sys.argv[1]), duplicate_window=60, handler=lambda *_: None
)
endpoint = SyncEndpoint(options, Inline())
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    assert serve(endpoint, make_body(asset_id=f"site-{number}")).status == 202
endpoint.delivery.close()
stats = endpoint.collector.stats()
print(stats.queued, stats.duplicate, stats.delivered, flush=True)
"""


def test_processes_know_each_others_bodies(tmp_path: Path) -> None:
    """Of what two processes of a host get at the same time, each body is stored by one of them."""
    path = tmp_path / "spool.sqlite3"
    command = [PYTHON, "-c", SENDING, str(path)]
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(process(command, stdin=subprocess.PIPE)) for _ in range(2)]
        for child in children:
            read_until(child, "ready")
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        counts = [tuple(map(int, read_to_end(child).split())) for child in children]
    queued, duplicate, _delivered = map(sum, zip(*counts, strict=True))
    assert (queued, duplicate) == (50, 50)
    assert query(path, "SELECT stored FROM state") == [(50,)]


def test_repair_copes_with_what_was_seen(make: Make, handler: _Handler, path: Path) -> None:
    """A repaired spool has its payloads, and remembers none: a duplicate may pass."""
    handler.failing.add("a")
    endpoint = make(duplicate_window=60, pause=600, max_pause=600)
    _send(endpoint, "a")
    endpoint.delivery.close()
    query(path, "DELETE FROM state")
    done = repair_spool(path)
    assert (done.was_intact, done.saved) == (False, 1)
    handler.failing.clear()
    again = make(duplicate_window=60)
    _send(again, "a")
    wait_for(lambda: handler.labels == ["a", "a"], "both")


# What is logged.


@pytest.mark.parametrize("body", [b"tell-tale", make_body(utm_params={"tell-tale": 1})])
def test_what_cannot_be_decoded_is_not_quoted(
    make: Make, path: Path, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    """Neither the log nor the reason in the spool holds what is in the row."""
    caplog.set_level(logging.DEBUG, logger="unisights")
    fill(path, 1)
    escaped = body.hex()
    query(path, f"UPDATE payloads SET raw = x'{escaped}'")  # noqa: S608
    make().delivery.open()
    wait_for(lambda: query(path, "SELECT count(*) FROM dead") == [(1,)], "the dead letter")
    wait_for(lambda: "undecodable" in _events(caplog), "the report")
    assert "dead_letter" in _events(caplog)
    ((reason,),) = query(path, "SELECT error FROM dead")
    assert "cannot be decoded" in str(reason)
    assert "tell-tale" not in str(reason) + _logged(caplog)


def test_records_have_codes_and_values(
    make: Make, handler: _Handler, caplog: pytest.LogCaptureFixture
) -> None:
    """Failures are told with attempts and delays as attributes, for formatters."""
    caplog.set_level(logging.DEBUG, logger="unisights")
    handler.failing.add("a")
    _send(make(attempts=2), "a")
    wait_for(lambda: "dead_letter" in _events(caplog), "the dead letter")
    told = {record.event: vars(record) for record in caplog.records if record.name == "unisights"}
    assert told["handler_failed"]["attempt"] == 1
    assert 0 <= told["handler_failed"]["delay"] <= 0.01
    assert told["dead_letter"]["attempt"] == 2


def _events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(record).get("event", "") for record in caplog.records]


def _logged(caplog: pytest.LogCaptureFixture) -> str:
    return caplog.text + "".join(repr(vars(record)) for record in caplog.records)


def test_records_of_what_was_rejected_take_no_payloads_with_them(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If there is no room for them, payloads of the same transaction are stored all the same."""
    endpoint = make(handler=_fail, pause=600, invalid_events="quarantine")
    endpoint.delivery.open()
    writer = endpoint.delivery._runner.running.writer  # type: ignore[union-attr]

    def have_no_room(*_given: Any, **_named: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(writer._spool.rejections, "insert", have_no_room)
    is_gathering = threading.Event()
    monkeypatch.setattr(writer, "_gather", _once_both(writer, writer._gather, is_gathering))
    assert is_gathering.wait(DEADLINE)
    with ThreadPoolExecutor(2) as pool:
        rejected = pool.submit(serve, endpoint, b"{")
        stored = pool.submit(_send, endpoint)
        assert (rejected.result().status, stored.result()) == (400, 202)
    assert _waiting(path) == 1
    assert "a rejected body was not kept" in caplog.text


def _once_both(
    writer: Any, gather: Callable[[], Any], is_gathering: threading.Event
) -> Callable[[], Any]:
    """Lets nothing be written until a payload and a record wait."""

    def gather_both() -> Any:
        is_gathering.set()
        if not writer._is_stopping and not writer._spool.totals().stored:
            wait_for(
                lambda: (writer._next.puts and writer._next.rejections) or writer._is_stopping,
                "both",
            )
        return gather()

    return gather_both


def test_rejected_records_are_bounded_and_counted(make: Make, path: Path) -> None:
    """Beyond rejected_bytes the oldest go; what is there, and what was quarantined, is counted."""
    endpoint = make(handler=_fail, pause=600, invalid_events="quarantine", rejected_bytes=1500)
    bodies = [b"%02d{" % number for number in range(20)]
    assert [serve(endpoint, body).status for body in bodies] == [400] * 20
    mixed = make_body(events=[click(), {}, {}])
    assert serve(endpoint, mixed).status == 202
    kept = query(path, "SELECT raw FROM rejected ORDER BY id")
    assert 1 < len(kept) < 20
    assert kept == [(body,) for body in [*bodies, mixed][-len(kept) :]]
    _send(endpoint)  # What the file holds is looked at with the next payload.
    stats = endpoint.collector.stats()
    assert (stats.quarantined, stats.accepted, stats.refused["invalid_json"]) == (2, 2, 20)
    assert stats.rejected == len(kept)
    assert stats.rejected_bytes is not None
    assert stats.rejected_bytes <= 1500


def test_on_reject_runs_where_the_handler_runs(make: Make) -> None:
    """Async ones on the process's loop, from a server's loop too: they share the clients there."""
    loops: list[Any] = []

    async def handle(payload: Any, info: Any) -> None:
        loops.append(asyncio.get_running_loop())

    async def note(rejection: Any) -> None:
        loops.append(asyncio.get_running_loop())

    options = make(handler=handle, on_reject=note, invalid_events="quarantine").collector.options
    endpoint = AsyncEndpoint(options, Inline())

    async def send() -> int:
        message = {"type": "http.request", "body": make_body(events=[{}])}

        async def receive() -> Any:
            return message

        return (await endpoint.serve(INFO, ASGIBody(receive), lambda _body: None)).status

    assert asyncio.run(send()) == 202
    wait_for(lambda: len(loops) == 2, "the handler's call")
    assert loops[0] is loops[1]
    endpoint.delivery.close()
