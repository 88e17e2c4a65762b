"""Files that are removed, replaced or moved while processes use them, by a cleaner for example."""

import contextlib
import json
import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import serve
from tests.options import make_options
from tests.processes import PYTHON, Process, process, read_until, run_python, wait_for
from tests.spools import fill, new_row, query
from tests.support import ROOT, make_body
from unisights import Inline
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._spool import connection
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.store import Spool
from unisights.errors import StoreError

# The forked children are the processes of a host. They are killed at the end, so that nothing but
# the files is left, and a process that has not used them looks at these.
HOST = """\
import glob, json, os, signal, sys
from pathlib import Path
from tests.endpoints import serve
from tests.options import make_options
from tests.support import make_body
from unisights import Inline
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._spool.store import Spool


def fail(payload, request):
    raise LookupError


class Process:
    def __init__(self, path, name):
        ours, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ours[1])
            self.run(path, name, os.fdopen(ours[0]), theirs[1])
        self.ask, self.answer = ours[1], os.fdopen(theirs[0])

    def run(self, path, name, asked, answer):
        options = make_options(
            delivery="durable", handler=fail, spool=path, pause=3600, max_pause=3600
        )
        endpoint = SyncEndpoint(options, Inline())
        for number, _ in enumerate(asked):
            status = serve(endpoint, make_body(asset_id=f"{name}{number}")).status
            os.write(answer, f"{status}\\n".encode())
        os._exit(0)

    def post(self):
        os.write(self.ask, b"post\\n")
        return int(self.answer.readline())

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def remove(path, ends):
    for file in glob.glob(f"{path}*"):
        end = file[len(str(path)):]
        if any(end.startswith(one) if one else end == "" for one in ends):
            os.unlink(file)


path, ends = Path(sys.argv[1]) / "spool", json.loads(sys.argv[2])
processes = [Process(path, f"{number}-") for number in range(2)]
statuses = [process.post() for process in processes for _ in range(5)]
remove(path, ends)
late = [Process(path, "late-")] if sys.argv[3] == "late" else []
statuses += [process.post() for process in [*late, *processes] for _ in range(5)]
for process in [*processes, *late]:
    process.kill()
spool = Spool(path, must_exist=True)
rows = list(spool.reports.payloads("waiting"))
labels = [json.loads(row["raw"])["data"]["asset_id"] for row in rows]
print(json.dumps({"statuses": statuses, "labels": sorted(labels)}))
"""

REMOVED = {
    "all": ["", "-"],
    "database": [""],
    "beside": ["-"],
    "wal": ["-wal"],
    "index": ["-shm"],
    "wal and index": ["-wal", "-shm"],
    "locks": ["-lock", "-owner"],
}


@pytest.mark.parametrize("late", ["", "late"])
@pytest.mark.parametrize("removed", REMOVED)
def test_nothing_is_lost_with_removed_files(tmp_path: Path, removed: str, late: str) -> None:
    """What was acknowledged before and afterwards is in the spool once, whoever notices first."""
    done = run_python(HOST, str(tmp_path), json.dumps(REMOVED[removed]), late, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    count = 25 if late else 20
    assert found["statuses"] == [202] * count, done.stderr
    posted = [f"{one}-{n}" for one in (0, 1) for n in range(10)]
    posted += [f"late-{n}" for n in range(5)] if late else []
    assert found["labels"] == sorted(posted)


ADDING = """\
import sys
from pathlib import Path
from tests.spools import new_row
from unisights._spool.store import Spool

spool = None
for label in sys.stdin:
    spool = spool or Spool(Path(sys.argv[1]))
    with spool.transaction():
        spool.insert([new_row(label.strip())], [0])
    print("added", flush=True)
"""


def test_who_notices_later_reads_nothing_that_is_gone(path: Path) -> None:
    """The first one has emptied the lost WAL, after the latest transaction in it was its own."""
    with contextlib.ExitStack() as stack:

        def add(child: Process, label: str) -> None:
            assert child.stdin is not None
            child.stdin.write(f"{label}\n")
            child.stdin.flush()
            read_until(child, "added")

        command = [PYTHON, "-c", ADDING, str(path)]
        first, second, late = (
            stack.enter_context(process(command, stdin=subprocess.PIPE)) for _ in range(3)
        )
        add(first, "a")
        add(second, "b")
        Path(f"{path}-wal").unlink()
        for child, label in ((late, "c"), (second, "d"), (first, "e")):
            add(child, label)
    with closing(Spool(path)) as spool:
        rows = [json.loads(row["raw"]) for row in spool.reports.payloads("waiting")]
    assert sorted(row["data"]["asset_id"] for row in rows) == ["a", "b", "c", "d", "e"]


class _Handler:
    """Notes what it is given; it waits until it may go on."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.begun = threading.Event()
        self.goes_on = threading.Event()

    def __call__(self, payload: Any, request: Any) -> None:
        self.begun.set()
        assert self.goes_on.wait(60)
        self.labels.append(payload.data.asset_id)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The spool's file."""
    return tmp_path / "spool"


@pytest.fixture
def handler() -> Iterator[_Handler]:
    """A handler; it goes on at the end in any case."""
    made = _Handler()
    yield made
    made.goes_on.set()


@pytest.fixture
def post(path: Path, handler: _Handler) -> Iterator[Callable[[str], int]]:
    """Posts a payload to an endpoint with that spool."""
    options = make_options(delivery="durable", handler=handler, spool=path)
    endpoint = SyncEndpoint(options, Inline())
    yield lambda label: serve(endpoint, make_body(asset_id=label)).status
    handler.goes_on.set()
    endpoint.delivery.close()


Post = Callable[[str], int]


def _remove(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def _own_locks(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}-owner-*"))


def _has_none_waiting(path: Path) -> bool:
    return query(path, "SELECT count(*) FROM waiting") == [(0,)]


def test_what_runs_meanwhile_is_delivered_once(path: Path, handler: _Handler, post: Post) -> None:
    """A process knows a payload by the same number in the new file."""
    assert post("a") == 202
    assert handler.begun.wait(30)
    _remove(path)
    assert post("b") == 202
    handler.goes_on.set()
    wait_for(lambda: _has_none_waiting(path), "the delivery")
    assert sorted(handler.labels) == ["a", "b"]


def test_without_a_request_files_are_made_anew(path: Path, handler: _Handler, post: Post) -> None:
    """Within about a second, the spool and the lock that says that the process is alive."""
    assert post("a") == 202
    (lock,) = _own_locks(path)
    _remove(path)
    wait_for(lambda: path.exists() and lock.exists(), "the new files")
    owner = int(lock.name.rpartition("-")[2])
    assert ProcessLocks(path).lock_if_dead(owner) is None
    assert query(path, "SELECT id FROM owners") == [(owner,)]


def test_all_endpoints_of_a_process_leave_lost_files(
    path: Path, handler: _Handler, post: Post
) -> None:
    """SQLite has one index of the WAL for the whole process, also for an endpoint that is idle."""
    options = make_options(delivery="durable", handler=handler, spool=path)
    other = SyncEndpoint(options, Inline())
    other.delivery.open()
    assert post("a") == 202
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink()
    assert post("b") == 202
    assert serve(other, make_body(asset_id="c")).status == 202
    command = [PYTHON, "-c", SHOW, str(path)]
    assert subprocess.check_output(command, text=True) == "[(3,)]\n"
    handler.goes_on.set()
    other.delivery.close()


def test_nobody_waits_for_ever_for_another_connection_to_leave_lost_files(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stored until it has, as SQLite would use the lost index for both."""
    monkeypatch.setattr(connection, "_SIBLING_SECONDS", 0.1)
    with closing(Spool(path)) as first, closing(Spool(path)) as second:
        for end in ("-wal", "-shm"):
            Path(f"{path}{end}").unlink()
        with pytest.raises(StoreError, match="another connection of this process still uses them"):
            first.keep_current()
        for spool in (second, first):
            with spool.transaction():
                spool.insert([new_row("a")], [0])
        command = [PYTHON, "-c", SHOW, str(path)]
        assert subprocess.check_output(command, text=True) == "[(2,)]\n"


SHOW = """\
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM payloads").fetchall())
"""


def test_a_wait_of_an_earlier_start_ends(path: Path, handler: _Handler, post: Post) -> None:
    """Where starts of the machine cannot be told apart, no payload waits for the old uptime."""
    fill(path, 1)
    query(path, "UPDATE waiting SET due = 1e12, since = 1e12")
    handler.goes_on.set()
    assert post("a") == 202
    wait_for(lambda: _has_none_waiting(path), "the delivery")
    assert sorted(handler.labels) == ["a", "site-0"]


def test_a_moved_spool_keeps_what_it_holds(path: Path, handler: _Handler, post: Post) -> None:
    """It is complete without the files beside it, and what comes later is in a new one."""
    assert post("a") == 202
    moved = path.with_name("moved")
    path.rename(moved)
    assert post("b") == 202
    with closing(Spool(moved)) as spool:
        assert [row["id"] for row in spool.reports.payloads("waiting")] == [1]
    assert query(path, "SELECT id FROM payloads") == [(2,)]


def test_a_spool_that_was_copied_back_gets_the_rest(
    path: Path, handler: _Handler, post: Post, tmp_path: Path
) -> None:
    """What the replaced file held is added to what the copy holds; the same rows are there once."""
    assert post("a") == 202
    copy = tmp_path / "copy"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    assert post("b") == 202
    copy.replace(path)
    assert post("c") == 202
    assert query(path, "SELECT id FROM payloads ORDER BY id") == [(1,), (2,), (3,)]
    handler.goes_on.set()
    wait_for(lambda: _has_none_waiting(path), "the delivery")
    assert sorted(handler.labels) == ["a", "b", "c"]


def test_a_process_that_was_taken_for_dead_leaves_no_orphans(
    path: Path, handler: _Handler, post: Post
) -> None:
    """Its payloads have an owner that others know of, and take over once it has ended."""
    assert post("a") == 202
    query(path, "DELETE FROM owners")
    assert post("b") == 202
    orphans = "SELECT id FROM waiting WHERE owner != 0 AND owner NOT IN (SELECT id FROM owners)"
    assert query(path, orphans) == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_old_numbers_are_not_those_of_a_file_that_came_during_a_fork(path: Path) -> None:
    """The old file was closed for the fork, so nothing else tells that it was replaced."""
    me = 5
    with closing(Spool(path)) as spool:
        with spool.transaction():
            spool.insert([new_row(f"old-{n}") for n in range(3)], [me] * 3)
        if not (child := os.fork()):
            os._exit(0)
        os.waitpid(child, 0)
        _remove(path)
        fill(path, 2)
        with spool.transaction():
            spool.complete([1, 2, 3], me)
            assert list(spool.insert([new_row("new")], [me])) == [4]
        assert [row["id"] for row in spool.reports.payloads("waiting")] == [1, 2, 4]


def test_old_numbers_are_not_those_of_others(path: Path) -> None:
    """Another process has begun a new file: its payloads may have the numbers of delivered ones."""
    me = 5
    with closing(Spool(path)) as spool:
        with spool.transaction():
            spool.insert([new_row(f"old-{n}") for n in range(3)], [me] * 3)
        _remove(path)
        others = "from pathlib import Path; from tests.spools import fill; fill(Path({!r}), 2)"
        command = [PYTHON, "-c", others.format(str(path))]
        subprocess.run(command, cwd=ROOT, check=True)
        with spool.transaction():
            spool.complete([1, 2, 3], me)
        rows = list(spool.reports.payloads("waiting"))
        labels = {row["id"]: json.loads(row["raw"])["data"]["asset_id"] for row in rows}
    # The third kept its number, and was delivered. The first two have new ones.
    assert {labels[1], labels[2]} == {"site-0", "site-1"}
    assert sorted(labels.values()) == ["old-0", "old-1", "site-0", "site-1"]


@pytest.mark.parametrize(("is_other", "expected"), [(False, 3), (True, 5)])
def test_what_was_rescued_is_not_forgotten_by_a_crash(
    path: Path, is_other: bool, expected: int
) -> None:
    """Whoever opens the spool next takes it in; what has the number of another gets a new one."""
    aside = path.with_name("aside")
    fill(aside, 3)
    if is_other:
        query(aside, "UPDATE payloads SET received_at = 1")
    fill(path, 2, dead=1)
    aside.rename(path.with_name("spool-rescue-0123456789abcdef"))
    with closing(Spool(path)) as spool:
        rows = [*spool.reports.payloads("waiting"), *spool.reports.payloads("dead")]
        assert spool.totals().waiting + spool.totals().dead == len(rows) == expected
        with spool.transaction():
            assert spool.retry_dead([1]) == 1
    assert not list(path.parent.glob("*-rescue-*"))


def test_without_room_nothing_is_left_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the old content cannot be copied, the process keeps it, and stores nothing."""

    def fail(*_given: Any, **_named: Any) -> Any:
        raise OSError(28, "No space left on device")

    with closing(Spool(path)) as spool:
        with spool.transaction():
            spool.insert([new_row("a")], [0])
        _remove(path)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fail)
            with pytest.raises(StoreError, match="No space left"), spool.transaction():
                raise AssertionError("nothing may be stored")
        assert not list(path.parent.glob("*-rescue-*"))
        with spool.transaction():
            spool.insert([new_row("b")], [0])
        assert spool.totals().waiting == 2


def test_what_cannot_be_read_is_kept_aside(path: Path) -> None:
    """A damaged rescue does not keep the spool from being opened."""
    rescued = path.with_name("spool-rescue-0123456789abcdef")
    rescued.write_bytes(b"not a database, and longer than a header of SQLite would be" * 10)
    fill(path, 1)
    assert not rescued.exists()
    assert len(list(path.parent.glob("*-corrupt-*"))) == 1
