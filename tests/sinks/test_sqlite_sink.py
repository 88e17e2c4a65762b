"""The SQLite sink as a handler, with threads and odd payloads."""

import asyncio
import json
import os
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PYTHON, run_python
from tests.sinks.places import store
from tests.support import CAPTURES, capture, click, make_body, make_data, seal
from unisights import UnisightsPayload, decode_unisights_payload
from unisights._runtime.callables import call_sync
from unisights._sqlite.file_lock import FileLock
from unisights.errors import SinkError
from unisights.sinks import Batch, SQLiteSink, _sqlite_database, sqlite
from unisights.validator import Checks


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """The path of a file that does not exist yet."""
    return tmp_path / "events.sqlite3"


@pytest.fixture
def sink(db: Path) -> SQLiteSink:
    """A sink; each call of `store` closes it."""
    return SQLiteSink(db)


def _payload(body: bytes, received_at: int = 0, **options: Any) -> UnisightsPayload:
    payload = decode_unisights_payload(body, **options)
    payload.received_at = received_at
    return payload


def _store(sink: SQLiteSink, *payloads: UnisightsPayload) -> None:
    assert store(sink, payloads) == [None] * len(payloads)


def _rows(db: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(db)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("name", CAPTURES)
def test_what_is_stored_can_be_decoded_again(sink: SQLiteSink, db: Path, name: str) -> None:
    """The body is kept byte for byte, and every event's data as the JSON it decodes to."""
    payload = _payload(capture(name))
    _store(sink, payload)
    ((raw,),) = _rows(db, "SELECT raw FROM payloads")
    assert decode_unisights_payload(raw) == payload
    stored = [
        json.loads(text) for (text,) in _rows(db, "SELECT data FROM events ORDER BY position")
    ]
    assert stored == [event.data.to_dict() for event in payload.data.events]


def test_threads_share_a_sink(sink: SQLiteSink, db: Path) -> None:
    """Payloads stored from many threads at once are all there, each with its own events."""
    payloads = [_payload(make_body(events=[click(timestamp=number)] * 3)) for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda payload: call_sync(sink, payload, None), payloads))
    asyncio.run(sink.close())
    assert _rows(db, "SELECT count(*), count(DISTINCT payload_id) FROM events") == [(300, 100)]
    assert _rows(
        db,
        "SELECT count(*) FROM payloads JOIN events ON payload_id = payloads.id"
        " AND events.client_time = payloads.client_time",
    ) == [(300,)]


def test_two_sinks_share_a_file(sink: SQLiteSink, db: Path) -> None:
    """Several processes may store into one file: a second sink opens it as it is."""
    _store(sink, _payload(make_body(), 1))
    _store(SQLiteSink(db), _payload(make_body(), 2))
    _store(sink, _payload(make_body(), 3))
    assert _rows(db, "SELECT count(*) FROM payloads") == [(3,)]


def test_concurrent_payloads_share_a_transaction(
    sink: SQLiteSink, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrives while one batch is stored is the next, within the bounds of a batch."""
    batches: list[int] = []
    stores = sqlite._FileWriter._store

    def note(writer: Any, items: Any) -> None:
        batches.append(len(items))
        stores(writer, items)

    monkeypatch.setattr(sqlite._FileWriter, "_store", note)
    bounded = SQLiteSink(db, batch=Batch(max_payloads=40))
    _store(bounded, *(_payload(make_body(), number) for number in range(100)))
    assert sum(batches) == 100
    assert len(batches) <= 4
    assert max(batches) <= 40
    assert _rows(db, "SELECT count(*) FROM payloads") == [(100,)]


def test_one_that_cannot_be_stored_fails_alone(sink: SQLiteSink, db: Path) -> None:
    """The others of its batch are stored; of the batch that failed, nothing was before."""
    bad = UnisightsPayload.from_dict({"data": make_data(events=[click()])})
    bad.data.session_id, bad.raw = "\ud800", b"bad"
    good = [_payload(make_body(events=[click()]), number) for number in range(5)]
    outcomes = store(sink, [*good[:3], bad, *good[3:]])
    assert [type(one) for one in outcomes if one is not None] == [SinkError]
    assert outcomes[3] is not None
    assert _rows(db, "SELECT received_at FROM payloads ORDER BY id") == [(n,) for n in range(5)]
    assert _rows(db, "SELECT count(*) FROM events") == [(5,)]


def test_delivered_again_is_stored_once(sink: SQLiteSink, db: Path) -> None:
    """The same body with the same time of receipt is one row; received twice, it is two."""
    body = make_body(events=[click()] * 3)
    again = [_payload(body, 1000), _payload(body, 1000), _payload(body, 2000)]
    _store(sink, *again)
    _store(sink, *again)
    found = _rows(db, "SELECT content_id, received_at FROM payloads ORDER BY id")
    assert found == [(again[0].content_id, 1000), (again[0].content_id, 2000)]
    assert _rows(db, "SELECT payload_id, count(*) FROM events GROUP BY payload_id") == [
        (1, 3),
        (2, 3),
    ]


def test_a_locked_file_fails_the_call(
    sink: SQLiteSink, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is confirmed that is not committed; afterwards the sink goes on."""
    monkeypatch.setattr(_sqlite_database, "BUSY_SECONDS", 0.01)
    _store(sink, _payload(make_body(), 1))
    other = sqlite3.connect(db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    (error,) = store(sink, [_payload(make_body(), 2)])
    assert isinstance(error, SinkError)
    assert "locked" in str(error)
    other.execute("ROLLBACK")
    other.close()
    _store(sink, _payload(make_body(), 3))
    assert _rows(db, "SELECT received_at FROM payloads") == [(1,), (3,)]


def test_a_file_of_an_earlier_version_is_left_alone(sink: SQLiteSink, db: Path) -> None:
    """The error says what to do; the file stays as it was."""
    connection = sqlite3.connect(db)
    connection.execute("CREATE TABLE payloads (mine)")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    before = _rows(db, "SELECT sql FROM sqlite_master")
    (error,) = store(sink, [_payload(make_body())])
    assert isinstance(error, SinkError)
    assert "an older version" in str(error)
    assert "move the file away" in str(error)
    assert _rows(db, "SELECT sql FROM sqlite_master") == before


def test_the_clock_skew_is_kept(sink: SQLiteSink, db: Path) -> None:
    """As the payload tells it; NULL where it tells nothing."""
    _store(
        sink, _payload(make_body(events=[click(timestamp=1500)]), 1000), _payload(make_body(), 1)
    )
    assert _rows(db, "SELECT clock_skew FROM payloads ORDER BY id") == [(500,), (None,)]


def test_odd_values_are_stored(sink: SQLiteSink, db: Path) -> None:
    """NUL, emoji, lone surrogates, huge timestamps, no events: nothing of it breaks the store."""
    title = {"type": "page_view", "data": {"location": "\x00é🎉", "timestamp": 1e300}}
    body = make_body(asset_id="a\x00b", events=[title]).replace(b"a\\u0000b", b"a\\u0000\\ud800b")
    _store(sink, _payload(body), _payload(make_body()))
    assert _rows(db, "SELECT asset_id, client_time FROM payloads") == [
        ("a\x00\ufffdb", 2**53 - 1),
        ("site-1", None),
    ]


def test_unchecked_values_are_stored(sink: SQLiteSink, db: Path) -> None:
    """With validation off, columns take what fits them, and JSON of the rest."""
    body = make_body(
        asset_id=["list"], page_url=10**30, events=[click(timestamp={"no": 1}), click()]
    )
    _store(sink, _payload(body, checks=Checks(values=False, required=False)))
    assert _rows(db, "SELECT asset_id, page_url, client_time FROM payloads") == [
        ('["list"]', str(10**30), 3)
    ]


def test_how_it_came_is_kept(sink: SQLiteSink, db: Path) -> None:
    """An encrypted payload's row says so, and holds the ciphertext as its raw body."""
    body = json.dumps(seal(json.dumps(make_data()).encode())).encode()
    _store(sink, _payload(body))
    assert _rows(db, "SELECT encrypted, raw FROM payloads") == [(1, body)]


def test_a_reader_delays_the_switch_to_wal_mode(
    sink: SQLiteSink, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is opened again, as SQLite does not always wait when processes open it at once."""
    monkeypatch.setattr(_sqlite_database, "BUSY_SECONDS", 0.3)
    _store(sink, _payload(make_body(), 1))
    _rows(db, "PRAGMA journal_mode = DELETE")
    reader = sqlite3.connect(db, isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM payloads").fetchone()
    waits: list[float] = []

    def end_reading(seconds: float) -> None:
        waits.append(seconds)
        if reader.in_transaction:
            reader.execute("COMMIT")

    monkeypatch.setattr("unisights._sqlite.connection.time.sleep", end_reading)
    _store(sink, _payload(make_body(), 2))
    reader.close()
    assert waits
    assert _rows(db, "PRAGMA journal_mode") == [("wal",)]


# Forked children are the processes of a host; files are removed between two rounds of payloads.
HOST = """\
import asyncio, json, os, sys
from pathlib import Path
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights.sinks import SQLiteSink


class Process:
    def __init__(self, path, name):
        ours, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ours[1])
            asyncio.run(self.run(path, name, os.fdopen(ours[0]), theirs[1]))
            os._exit(0)
        self.ask, self.answer = ours[1], os.fdopen(theirs[0])

    async def run(self, path, name, asked, answer):
        sink = SQLiteSink(path)
        for number, line in enumerate(asked):
            if line == "close\\n":
                return await sink.close()
            payload = decode_unisights_payload(make_body(asset_id=f"{name}{number}"))
            await sink(payload, None)
            os.write(answer, b"stored\\n")

    def store(self):
        os.write(self.ask, b"store\\n")
        assert self.answer.readline() == "stored\\n"

    def end(self):
        os.write(self.ask, b"close\\n")
        assert os.waitpid(self.pid, 0)[1] == 0


path = Path(sys.argv[1])
processes = [Process(path, f"{number}-") for number in range(2)]
for process in processes:
    for _ in range(5):
        process.store()
for end in json.loads(sys.argv[2]):
    Path(f"{path}{end}").unlink()
late = [Process(path, "late-")] if sys.argv[3] else []
for process in late if sys.argv[3] == "late only" else [*late, *processes]:
    for _ in range(5):
        process.store()
# The late one first, unless nobody else has stored: then its files must outlive the others.
for process in [*processes, *late] if sys.argv[3] == "late only" else [*late, *processes]:
    process.end()
"""

REMOVED = {
    "all": ["", "-wal", "-shm"],
    "database": [""],
    "wal and index": ["-wal", "-shm"],
    "wal": ["-wal"],
    "index": ["-shm"],
}


@pytest.mark.parametrize("late", ["", "late"])
@pytest.mark.parametrize("removed", REMOVED)
def test_nothing_is_confirmed_into_removed_files(db: Path, removed: str, late: str) -> None:
    """What is confirmed afterwards is in the new file; and all, unless the database is removed."""
    done = run_python(HOST, str(db), json.dumps(REMOVED[removed]), late)
    assert done.returncode == 0, done.stderr
    first = 5 if "" in REMOVED[removed] else 0
    expected = {f"{one}-{n}" for one in (0, 1) for n in range(first, 10)}
    expected |= {f"late-{n}" for n in range(5)} if late else set()
    found = [label for (label,) in _rows(db, "SELECT asset_id FROM payloads")]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert _rows(db, "PRAGMA integrity_check") == [("ok",)]


def _remove(db: Path, *ends: str) -> None:
    for end in ends:
        Path(f"{db}{end}").unlink()


def test_all_loops_of_a_process_leave_removed_files(sink: SQLiteSink, db: Path) -> None:
    """SQLite has one index of the WAL for the whole process, also for a loop that does nothing."""
    idle = SQLiteSink(db)

    async def main() -> None:
        await idle(_payload(make_body(), 1), None)
        await sink(_payload(make_body(), 2), None)
        _remove(db, "-wal", "-shm")
        await sink(_payload(make_body(), 3), None)
        # Another process sees it at once.
        query = [PYTHON, "-c", SHOW, str(db)]
        shown = await asyncio.to_thread(subprocess.check_output, query, text=True)
        assert shown == "[(1,), (2,), (3,)]\n"
        await idle(_payload(make_body(), 4), None)
        await idle.close()
        await sink.close()

    asyncio.run(main())
    assert _rows(db, "SELECT count(*) FROM payloads") == [(4,)]


SHOW = """\
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT received_at FROM payloads ORDER BY id")
print(rows.fetchall())
"""


def test_a_moved_file_keeps_what_it_holds(sink: SQLiteSink, db: Path) -> None:
    """It is complete without the files beside it, and a new one gets the rest."""
    moved = db.with_name("moved")

    async def main() -> None:
        await sink(_payload(make_body(), 1), None)
        await asyncio.to_thread(db.rename, moved)
        await sink(_payload(make_body(), 2), None)
        await sink.close()

    asyncio.run(main())
    assert _rows(moved, "SELECT received_at FROM payloads") == [(1,)]
    assert _rows(db, "SELECT received_at FROM payloads") == [(2,)]


def test_a_file_of_something_else_is_left_alone(sink: SQLiteSink, db: Path) -> None:
    """A spool, for example, or the database of another program."""
    connection = sqlite3.connect(db)
    connection.execute("CREATE TABLE users (name)")
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    before = db.read_bytes()
    (error,) = store(sink, [_payload(make_body())])
    assert "something else" in str(error)
    assert db.read_bytes() == before


# Three processes store without a pause; their files are removed meanwhile.
BUSY_HOST = """\
import asyncio, os, sys
from pathlib import Path
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights.sinks import SQLiteSink


async def run(path, name, answer):
    sink = SQLiteSink(path)
    for number in range(250):
        await sink(decode_unisights_payload(make_body(asset_id=f"{name}-{number}")), None)
        os.write(answer, b"stored\\n")
    await sink.close()


path, ours = Path(sys.argv[1]), os.pipe()
children = []
for name in range(3):
    children.append(os.fork())
    if children[-1] == 0:
        asyncio.run(run(path, name, ours[1]))
        os._exit(0)
os.close(ours[1])
for count, _ in enumerate(os.fdopen(ours[0])):
    if count in {100, 250, 400, 550}:
        for end in sys.argv[2:]:
            Path(f"{path}{end}").unlink(missing_ok=True)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
"""


@pytest.mark.parametrize("removed", [["-wal"], ["-wal", "-shm"]])
def test_files_removed_under_writers_lose_nothing(db: Path, removed: list[str]) -> None:
    """Processes that store while -wal or -shm are removed do not write over one another."""
    done = run_python(BUSY_HOST, str(db), *removed, timeout=60)
    assert done.returncode == 0, done.stderr
    assert _rows(db, "PRAGMA integrity_check") == [("ok",)]
    expected = [(750, 750)]
    assert _rows(db, "SELECT count(*), count(DISTINCT asset_id) FROM payloads") == expected


@pytest.mark.parametrize("removed", ["wal", "index", "wal and index"])
def test_a_process_that_closes_keeps_what_others_stored(db: Path, removed: str) -> None:
    """Files are removed, another process stores, and the first ones close without storing again."""
    done = run_python(HOST, str(db), json.dumps(REMOVED[removed]), "late only", timeout=60)
    assert done.returncode == 0, done.stderr
    assert _rows(db, "SELECT count(*) FROM payloads") == [(15,)]
    assert _rows(db, "PRAGMA integrity_check") == [("ok",)]


KILLED = """\
processes[0].store()
os.kill(processes[0].pid, 9)
os.waitpid(processes[0].pid, 0)
processes[1].end()
"""


@pytest.mark.parametrize("removed", ["wal", "index", "wal and index"])
def test_a_process_that_closes_keeps_what_a_killed_one_stored(db: Path, removed: str) -> None:
    """The WAL of the one that was killed has the name of the one that SQLite would remove."""
    head, _, _ = HOST.partition("late = ")
    done = run_python(head + KILLED, str(db), json.dumps(REMOVED[removed]), timeout=60)
    assert done.returncode == 0, done.stderr
    assert _rows(db, "SELECT count(*) FROM payloads") == [(11,)]
    assert {path.name for path in db.parent.iterdir()} <= {db.name, f"{db.name}-lock"}


@pytest.mark.parametrize("removed", ["moved", "wal", "index", "wal and index"])
def test_closing_saves_what_lost_files_hold(sink: SQLiteSink, db: Path, removed: str) -> None:
    """Although nothing is stored between the removal and the end."""
    moved = db.with_name("moved")

    async def main() -> None:
        await sink(_payload(make_body(), 1), None)
        if removed == "moved":
            await asyncio.to_thread(db.rename, moved)
        else:
            _remove(db, *REMOVED[removed])
        await sink.close()

    asyncio.run(main())
    _store(sink, _payload(make_body(), 2))
    found = _rows(db, "SELECT received_at FROM payloads ORDER BY id")
    if removed == "moved":
        found = _rows(moved, "SELECT received_at FROM payloads") + found
    assert found == [(1,), (2,)]


def test_a_symbolic_link_is_followed(db: Path) -> None:
    """Also one that leads to a new file, and one that leads elsewhere while the file is open."""
    first, second = db.with_name("first"), db.with_name("second")
    db.symlink_to(first)
    sink = SQLiteSink(db)

    async def main() -> None:
        await sink(_payload(make_body(), 1), None)
        await sink(_payload(make_body(), 2), None)
        await asyncio.to_thread(db.unlink)
        await asyncio.to_thread(db.symlink_to, second)
        await sink(_payload(make_body(), 3), None)
        await sink.close()

    asyncio.run(main())
    assert _rows(first, "SELECT received_at FROM payloads") == [(1,), (2,)]
    assert _rows(second, "SELECT received_at FROM payloads") == [(3,)]


def test_a_relative_path_stays_when_the_directory_changes(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to the directory in which the sink was made: daemons change theirs."""
    monkeypatch.chdir(tmp_path)
    sink = SQLiteSink(db.name)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    _store(sink, _payload(make_body(), 1))
    assert _rows(db, "SELECT count(*) FROM payloads") == [(1,)]


def test_the_holder_of_the_lock_is_named(
    sink: SQLiteSink, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be stopped inside a transaction: the others fail, and say whom they await."""
    monkeypatch.setattr(_sqlite_database, "BUSY_SECONDS", 0.05)
    _store(sink, _payload(make_body(), 1))
    lock = FileLock(Path(f"{db}-lock"))
    assert lock.try_acquire()
    (error,) = store(sink, [_payload(make_body(), 2)])
    assert f"{db}-lock, which process {os.getpid()} holds" in str(error)
    lock.close()
    _store(sink, _payload(make_body(), 3))
    assert _rows(db, "SELECT received_at FROM payloads") == [(1,), (3,)]


def test_whoever_may_use_the_file_may_use_its_lock(sink: SQLiteSink, db: Path) -> None:
    """The lock has the permissions of the file, as SQLite's own files beside it have."""
    _store(sink, _payload(make_body(), 1))
    Path(f"{db}-lock").unlink()
    db.chmod(0o660)
    _store(sink, _payload(make_body(), 2))
    assert Path(f"{db}-lock").stat().st_mode & 0o777 == 0o660


FORKS = """\
import asyncio, os, sys, threading
from pathlib import Path
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights._sqlite.file_lock import FileLock
from unisights.sinks import SQLiteSink, _sqlite_lock

path = Path(sys.argv[1])


async def put(sink, name):
    await sink(decode_unisights_payload(make_body(asset_id=name)), None)


async def main():
    sink = SQLiteSink(path)
    await put(sink, "before")
    lock = FileLock(Path(f"{path}-lock"))
    assert lock.try_acquire()
    Path(f"{path}-wal").unlink()
    # The lock is released once the fork waits for it.
    begun, sleep = threading.Event(), _sqlite_lock.time.sleep
    _sqlite_lock.time.sleep = lambda seconds: (begun.set(), sleep(seconds))
    threading.Thread(target=lambda: (begun.wait(30), lock.release())).start()
    child = os.fork()
    if child == 0:
        # A loop of the child's own.
        thread = threading.Thread(target=lambda: asyncio.run(in_child(sink)))
        thread.start()
        thread.join()
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0
    await put(sink, "parent")
    await sink.close()


done = []


async def in_child(sink):
    await put(sink, "child")
    await sink.close()
    done.append(True)


asyncio.run(main())
"""


def test_a_fork_saves_lost_files_once_it_gets_the_lock(db: Path) -> None:
    """It waits for the process that stores, and then the child can use the file."""
    done = run_python(FORKS, str(db), timeout=60)
    assert done.returncode == 0, done.stderr
    assert "restart the child" not in done.stderr
    found = _rows(db, "SELECT asset_id FROM payloads ORDER BY id")
    assert found == [("before",), ("child",), ("parent",)]
