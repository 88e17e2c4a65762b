"""Processes that are stopped inside a transaction: nobody waits for them without a limit."""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import deliver, serve
from tests.options import make_options
from tests.processes import DEADLINE, wait_for
from tests.spools import fill, query
from tests.stopped import IN_MIGRATION, IN_RESCUE, IN_SQLITE, stopped
from tests.support import make_body
from unisights import Inline, UnisightsPayload, decode_unisights_payload
from unisights._cli.main import main
from unisights._delivery import spool_runner
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._spool import connection, repair, writer
from unisights._sqlite.connection import SQLiteConnection
from unisights.errors import SinkError, StoreError
from unisights.sinks import SQLiteSink
from unisights.sinks.sqlite import _FileWriter


class _Handler:
    def __init__(self) -> None:
        self.labels: list[str] = []

    def __call__(self, payload: Any, info: Any) -> None:
        self.labels.append(payload.data.asset_id)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(writer, "STUCK_SECONDS", 0.5)
    monkeypatch.setattr(writer, "STOP_SECONDS", 0.5)
    monkeypatch.setattr(spool_runner, "OPEN_SECONDS", 0.5)
    monkeypatch.setattr(spool_runner, "REOPEN_SECONDS", 0.05)
    for module in (connection, repair):
        monkeypatch.setattr(module, "LOCK_SECONDS", 0.5)
    monkeypatch.setattr(connection, "_BUSY_SECONDS", 0.2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The spool's file."""
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def handler() -> _Handler:
    """Notes what it is given."""
    return _Handler()


@pytest.fixture
def endpoint(path: Path, handler: _Handler) -> Iterator[SyncEndpoint]:
    """An endpoint of that spool."""
    made = SyncEndpoint(make_options(delivery="durable", handler=handler, spool=path), Inline())
    yield made
    made.delivery.close()


def _send(endpoint: SyncEndpoint, label: str) -> int:
    return serve(endpoint, make_body(asset_id=label)).status


def _send_async(endpoint: SyncEndpoint, labels: list[str]) -> list[int]:
    async def send_all() -> list[int]:
        sent = [deliver(endpoint, make_body(asset_id=label)) for label in labels]
        return [response.status for response in await asyncio.gather(*sent)]

    return asyncio.run(send_all())


@pytest.mark.parametrize("end", ["go_on", "kill"])
def test_requests_do_not_wait_for_a_process_that_was_stopped(
    end: str,
    endpoint: SyncEndpoint,
    handler: _Handler,
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are answered 503, and the log names the lock and its holder; then, all goes on."""
    assert _send(endpoint, "before") == 202
    wait_for(lambda: handler.labels == ["before"], "the delivery")
    with stopped(path) as sibling:
        answers = _send_async(endpoint, ["a", "b"])
        answers.append(_send(endpoint, "c"))
        assert answers == [503, 503, 503]
        assert f"the lock {path}-lock{sibling.holds}" in caplog.text
        assert endpoint.delivery.reasons() == ("spool_failed",)
        getattr(sibling, end)()
        wait_for(lambda: _send(endpoint, "after") == 202, "an answer of 202")
    wait_for(lambda: query(path, "SELECT count(*) FROM waiting") == [(0,)], "the delivery of all")
    wait_for(lambda: not endpoint.delivery._runner.running.writer.is_stuck, "getting on")  # type: ignore[attr-defined]
    # One that was being written as the process was stopped may be stored although it was refused.
    assert handler.labels.count("after") == 1
    assert sorted({*handler.labels} - {"a", "b", "c"}) == ["after", "before"]
    assert len(handler.labels) == len({*handler.labels})


@pytest.mark.parametrize("end", ["go_on", "kill"])
def test_requests_do_not_wait_for_a_rescue_that_was_stopped(
    end: str, endpoint: SyncEndpoint, handler: _Handler, path: Path
) -> None:
    """They are answered 503; then, what the lost files held is in the new ones, once."""
    fill(path, 2, dead=2)
    assert _send(endpoint, "before") == 202
    wait_for(lambda: handler.labels == ["before"], "the delivery")
    with stopped(path, IN_RESCUE) as sibling:
        assert [_send(endpoint, "a"), *_send_async(endpoint, ["b"])] == [503, 503]
        getattr(sibling, end)()
        wait_for(lambda: _send(endpoint, "after") == 202, "an answer of 202")
    wait_for(lambda: "after" in handler.labels, "the delivery")
    assert query(path, "SELECT id FROM dead") == [(1,), (2,)]
    assert not list(path.parent.glob("*-rescue-????????????????"))


@pytest.mark.parametrize(("end", "status"), [("go_on", 503), ("kill", 202)])
def test_requests_do_not_wait_for_a_migration_that_was_stopped(
    end: str, status: int, endpoint: SyncEndpoint, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Afterwards, the spool has one version or the other, which this process uses or refuses."""
    fill(path, 1)
    with stopped(path, IN_MIGRATION) as sibling:
        assert [_send(endpoint, "a"), *_send_async(endpoint, ["b"])] == [503, 503]
        assert f"-lock{sibling.holds}" in caplog.text
        caplog.clear()
        getattr(sibling, end)()
        what = "newer version of unisights"
        wait_for(lambda: _send(endpoint, "c") == 202 or what in caplog.text, "the end")
        assert _send(endpoint, "d") == status


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_does_not_wait_for_a_process_that_was_stopped(
    endpoint: SyncEndpoint, handler: _Handler, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The child has a connection of its own, as soon as the other process goes on."""
    assert _send(endpoint, "before") == 202
    wait_for(lambda: handler.labels == ["before"], "the delivery")
    with stopped(path) as sibling:
        assert _send(endpoint, "a") == 503
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.write(writer, b"forked")
                wait_for(lambda: _send(endpoint, "child") == 202, "an answer of 202")
                endpoint.delivery.close()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.read(reader, 6) == b"forked"
        sibling.go_on()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(reader)
    os.close(writer)
    assert _send(endpoint, "after") == 202
    ((stored,),) = query(path, "SELECT stored FROM state")
    assert stored in {3, 4}  # The refused one may have been stored.
    assert "fork_unsafe" not in [getattr(record, "event", "") for record in caplog.records]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_does_not_wait_for_another_process_in_the_file_of_a_sink(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch waits for it, and lets the fork have the file meanwhile."""
    monkeypatch.setattr("unisights.sinks._sqlite_database.BUSY_SECONDS", DEADLINE)
    endpoint = SyncEndpoint(make_options(delivery="inline", handler=SQLiteSink(path)), Inline())
    assert _send(endpoint, "before") == 200
    statuses: list[int] = []
    begun, execute = threading.Event(), SQLiteConnection.execute

    def note(connection: SQLiteConnection, sql: str, *parameters: Any) -> Any:
        if sql == "BEGIN IMMEDIATE":
            begun.set()
        return execute(connection, sql, *parameters)

    monkeypatch.setattr(SQLiteConnection, "execute", note)
    with stopped(path, IN_SQLITE) as sibling:
        storing = threading.Thread(target=lambda: statuses.append(_send(endpoint, "waits")))
        storing.start()
        begun.wait(DEADLINE)
        for _ in range(2):  # After the first, the file has to be opened again.
            if not (child := os.fork()):
                os._exit(0)
            os.waitpid(child, 0)
        assert storing.is_alive()
        sibling.go_on()
        storing.join(DEADLINE)
    assert statuses == [200]
    assert "fork_unsafe" not in [getattr(record, "event", "") for record in caplog.records]
    endpoint.delivery.close()


@pytest.mark.parametrize("dies", [False, True])
def test_nobody_waits_for_a_writer_that_lacks_memory(
    dies: bool, endpoint: SyncEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are answered 503, and `readiness()` tells; if its thread lives, it goes on."""
    assert _send(endpoint, "before") == 202
    spool_writer = endpoint.delivery._runner.running.writer  # type: ignore[attr-defined]

    def fail(*arguments: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(spool_writer, "_gather", fail)
        if dies:
            patch.setattr(spool_writer, "_refuse_all", fail)
            patch.setattr(threading, "excepthook", lambda arguments: None)
        # The thread may be inside the real one, and takes one more payload.
        wait_for(lambda: _send(endpoint, "a") == 503, "an answer of 503")
        assert [_send(endpoint, "a"), *_send_async(endpoint, ["b"])] == [503, 503]
        if dies:
            wait_for(lambda: spool_writer.is_stuck, "the end of the thread")
            endpoint.delivery._has_failed.clear()  # type: ignore[attr-defined]
        assert endpoint.delivery.reasons() == ("spool_failed",)
    if not dies:
        wait_for(lambda: _send(endpoint, "after") == 202, "an answer of 202")


def test_nobody_waits_for_a_disk_that_hangs(
    endpoint: SyncEndpoint,
    handler: _Handler,
    path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests and the end do not; what was being written is stored once the disk goes on."""
    assert _send(endpoint, "before") == 202
    wait_for(lambda: query(path, "SELECT count(*) FROM waiting") == [(0,)], "the delivery")
    goes_on, execute = threading.Event(), SQLiteConnection.execute

    def hang(connection: SQLiteConnection, sql: str, *parameters: Any) -> Any:
        if sql == "COMMIT":
            goes_on.wait()
        return execute(connection, sql, *parameters)

    monkeypatch.setattr(SQLiteConnection, "execute", hang)
    assert _send(endpoint, "written") == 503
    assert _send_async(endpoint, ["waits"]) == [503]
    assert "until a read or a write of the file has ended" in caplog.text
    closing = threading.Thread(target=endpoint.delivery.close)
    closing.start()
    closing.join(DEADLINE)
    assert not closing.is_alive()
    goes_on.set()
    wait_for(lambda: query(path, "SELECT count(*) FROM owners") == [(0,)], "the end")
    assert query(path, "SELECT stored FROM state") == [(2,)]
    stats = endpoint.collector.stats()
    assert (stats.queued, stats.refused["spool_failed"]) == (2, 2)


def test_nobody_waits_for_a_disk_that_hangs_when_it_is_opened(
    endpoint: SyncEndpoint, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are answered 503 until it is open."""
    goes_on, connect = threading.Event(), sqlite3.connect

    def hang(*arguments: Any, **options: Any) -> Any:
        goes_on.wait()
        return connect(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", hang)
        assert [_send(endpoint, "a"), *_send_async(endpoint, ["b"])] == [503, 503]
        goes_on.set()
        wait_for(lambda: _send(endpoint, "c") == 202, "the opening")


def test_the_end_does_not_wait_for_a_process_that_was_stopped(
    endpoint: SyncEndpoint, handler: _Handler, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was delivered and could not be recorded is the next process's."""
    assert _send(endpoint, "before") == 202
    wait_for(lambda: query(path, "SELECT count(*) FROM waiting") == [(0,)], "the delivery")
    with stopped(path) as sibling:
        closing = threading.Thread(target=endpoint.delivery.close)
        closing.start()
        closing.join(DEADLINE)
        assert not closing.is_alive()
        assert "could not be closed" in caplog.text
        assert f"-lock{sibling.holds}" in caplog.text
        sibling.go_on()
    # It ends as it should have, as the process lives on.
    wait_for(lambda: query(path, "SELECT count(*) FROM owners") == [(0,)], "the end")
    assert handler.labels == ["before"]


def test_a_spool_is_not_waited_for_when_it_is_opened(
    endpoint: SyncEndpoint, handler: _Handler, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests that come meanwhile are answered 503; it is opened as soon as that is possible."""
    fill(path, 1)
    with stopped(path) as sibling:
        assert _send_async(endpoint, ["a", "b"]) == [503, 503]
        assert _send(endpoint, "c") == 503
        with pytest.raises(StoreError, match=f"-lock{sibling.holds}"):
            endpoint.control.drain(1)
        # The app is to start all the same.
        endpoint.delivery.open()
        assert "not open yet" in caplog.text
        endpoint.delivery._has_failed.clear()  # type: ignore[attr-defined]
        assert endpoint.delivery.reasons() == ("spool_failed",)
        assert f"-lock{sibling.holds}" in caplog.text
        sibling.go_on()
        wait_for(lambda: len(handler.labels) == 1, "the opening, without a request")
    assert _send(endpoint, "after") == 202


def test_an_endpoint_that_was_closed_while_it_opened_stays_closed(
    endpoint: SyncEndpoint, handler: _Handler, path: Path
) -> None:
    """It delivers nothing, even if its spool can be opened later."""
    fill(path, 1)
    with stopped(path) as sibling:
        assert _send(endpoint, "a") == 503
        endpoint.delivery.close()
        assert _send(endpoint, "b") == 503
        sibling.go_on()
        wait_for(lambda: endpoint.delivery._runner._opening is None, "the opening")  # type: ignore[attr-defined]
    wait_for(lambda: query(path, "SELECT count(*) FROM owners") == [(0,)], "the end")
    assert handler.labels == []


@pytest.mark.parametrize("command", [["stat"], ["drop", "--waiting", "--no-export"], ["repair"]])
def test_the_command_does_not_wait_for_a_process_that_was_stopped(
    command: list[str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what it has waited for, and has changed nothing."""
    fill(path, 1)
    with stopped(path) as sibling:
        assert main(["spool", *command, str(path)]) == 1
        assert f"-lock{sibling.holds}" in capsys.readouterr().err
        sibling.go_on()
        assert query(path, "SELECT count(*) FROM waiting") == [(1,)]
        assert main(["spool", *command, str(path)]) == 0


def test_another_program_that_keeps_a_transaction_is_told_of(
    endpoint: SyncEndpoint, handler: _Handler, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not know of the lock, so SQLite waits for it."""
    assert _send(endpoint, "before") == 202
    wait_for(lambda: handler.labels == ["before"], "the delivery")
    with stopped(path, IN_SQLITE) as sibling:
        assert _send(endpoint, "a") == 503
        wait_for(lambda: "another program's transaction" in caplog.text, "the log")
        sibling.go_on()
    wait_for(lambda: _send(endpoint, "after") == 202, "an answer of 202")


@pytest.mark.parametrize("delivery", ["inline", "durable"])
def test_a_sink_does_not_wait_for_a_process_that_was_stopped(
    delivery: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payload has failed: `on_error` gets it, or it is tried again and stored once."""
    monkeypatch.setattr("unisights.sinks._sqlite_database.BUSY_SECONDS", 0.3)
    failed: list[Any] = []
    file = tmp_path / "events.sqlite3"
    options = {"spool": path, "pause": 0.1, "max_pause": 0.1} if delivery == "durable" else {}
    endpoint = SyncEndpoint(
        make_options(
            delivery=delivery,
            handler=SQLiteSink(file),
            on_error=lambda payload, error: failed.append((payload.data.asset_id, str(error))),
            **options,
        ),
        Inline(),
    )

    def stored() -> int:
        with contextlib.suppress(sqlite3.OperationalError):  # There are no tables yet.
            return len(query(file, "SELECT 1 FROM payloads"))
        return 0

    try:
        _send(endpoint, "before")
        wait_for(lambda: stored() == 1, "the first")
        with stopped(file, IN_SQLITE) as sibling:
            status = _send(endpoint, "a")
            assert status == (500 if delivery == "inline" else 202)
            if delivery == "inline":
                ((label, reason),) = failed
                assert label == "a"
                assert "database is locked; waited 0.3 s for the transaction of another" in reason
            sibling.go_on()
        _send(endpoint, "after")
        wait_for(lambda: stored() == (2 if delivery == "inline" else 3), "the others")
        if delivery == "durable":
            wait_for(lambda: query(path, "SELECT count(*) FROM payloads") == [(0,)], "the end")
            assert failed == []
            assert stored() == 3
    finally:
        endpoint.delivery.close()


def test_a_sink_does_not_wait_for_a_disk_that_hangs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payloads that come meanwhile fail, too; afterwards, all is as before."""
    monkeypatch.setattr("unisights.sinks.sqlite._USE_SECONDS", 0.2)
    sink = SQLiteSink(path)
    begun, goes_on = threading.Event(), threading.Event()
    execute = SQLiteConnection.executemany
    write_batch = _FileWriter.write
    written: list[int] = []

    async def write(writer: _FileWriter, items: Sequence[Any]) -> None:
        written.append(len(items))
        await write_batch(writer, items)

    def hang(*arguments: Any) -> None:
        begun.set()
        goes_on.wait()
        execute(*arguments)

    async def store_all() -> None:
        await sink.open()
        batcher = sink._batchers.get()
        monkeypatch.setattr(batcher, "_timeout", 2.0)
        with monkeypatch.context() as patch:
            patch.setattr(SQLiteConnection, "executemany", hang)
            with pytest.raises(SinkError, match="no answer in time"):
                await sink(_payload("hangs"), None)
        assert begun.is_set()
        monkeypatch.setattr(batcher, "_timeout", DEADLINE)
        monkeypatch.setattr(_FileWriter, "write", write)
        sent = [sink(_payload(f"meanwhile-{number}"), None) for number in range(9)]
        for error in await asyncio.gather(*sent, return_exceptions=True):
            assert "an earlier use of it has not ended" in str(error)
        # Not halved again and again.
        assert sum(written) == 9
        await sink.close()
        goes_on.set()
        await sink(_payload("after"), None)
        await sink.close()

    asyncio.run(store_all())
    assert query(path, "SELECT asset_id FROM payloads") == [("hangs",), ("after",)]


def _payload(label: str) -> UnisightsPayload:
    return decode_unisights_payload(make_body(asset_id=label))
