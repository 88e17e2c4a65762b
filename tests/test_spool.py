"""The spool's file: what it keeps, whose it is, and what cannot be used as one."""

import contextlib
import re
import signal
import sqlite3
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PYTHON
from tests.spools import REQUEST, fill, new_row, query
from tests.support import ROOT
from unisights import _spool
from unisights._spool import clock
from unisights._spool.files import check_spool
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.store import Spool
from unisights._spool.stored_requests import read_request, write_request
from unisights.errors import StoreError
from unisights.request import RequestInfo

ME, OTHER = 5, 6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a spool may be made."""
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def spool(path: Path) -> Any:
    """An empty spool."""
    with contextlib.closing(Spool(path)) as made:
        yield made


def _store(spool: Spool, count: int, owner: int = 0) -> list[int]:
    with spool.transaction():
        return list(spool.insert([new_row(f"site-{n}") for n in range(count)], [owner] * count))


def _claim(spool: Spool, owner: int = ME, rows: int = 100, size: int = 10**9) -> list[int]:
    with spool.transaction():
        return [row.id for row in spool.claim(owner, rows=rows, size=size)]


def test_what_is_stored_is_read_again(spool: Spool) -> None:
    """A claimed row holds the bytes, the request, the times and the identity as stored."""
    row = new_row("a")
    with spool.transaction():
        spool.insert([row], [0])
    with spool.transaction():
        (found,) = spool.claim(ME, rows=1, size=1)
    assert (found.raw, found.request, found.content_id) == (row.raw, row.request, row.content_id)
    assert (found.received_at, found.session_id) == (row.received_at, row.session_id)
    assert (found.attempts, found.size) == (0, len(row.raw) + len(REQUEST))
    assert 0 <= found.age < 60


def test_a_request_is_kept() -> None:
    """What the handler can know of the request outlives the process, odd characters too."""
    info = RequestInfo(
        method="POST", path="/\udcff", headers={"x-name": "grüße"}, client=None, received_at=7
    )
    kept = read_request(write_request(info), 7)
    assert kept.headers == info.headers
    assert (kept.method, kept.path, kept.client, kept.received_at) == ("POST", "/\udcff", None, 7)


def test_a_size_is_in_bytes(spool: Spool) -> None:
    """Headers may hold characters of several bytes; the bounds of a spool are in bytes."""
    row = replace(new_row("a"), request=REQUEST.replace("abc", "grüße"), quarantined="[1]")
    with spool.transaction():
        spool.insert([row], [0])
    ((size,),) = query(
        spool.path,
        "SELECT length(raw) + length(CAST(request AS BLOB)) + length(quarantined) FROM payloads",
    )
    assert "ü" in row.request
    assert spool.totals().waiting_bytes == row.size == size


def test_the_package_lists_its_modules() -> None:
    """The docstring of the package says what each of its modules is for."""
    directory = Path(str(_spool.__file__)).parent
    named = set(re.findall(r"`(\w+)`", str(_spool.__doc__)))
    assert {path.stem for path in directory.glob("[!_]*.py")} <= named


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200])
def test_any_number_is_stored_at_once(spool: Spool, count: int) -> None:
    """Numbers ascend in the order of storing, and all rows are stored, claimed and forgotten."""
    ids = _store(spool, count)
    assert ids == sorted(ids)
    assert _claim(spool, rows=1000) == ids
    with spool.transaction():
        spool.complete(ids)
    assert spool.totals().waiting == spool.totals().waiting_bytes == 0
    assert spool.totals().stored == count
    assert query(spool.path, "SELECT count(*) FROM payloads") == [(0,)]


def test_what_is_owned_is_not_claimed(spool: Spool) -> None:
    """A row is one owner's until that releases it."""
    ids = _store(spool, 3, owner=OTHER)
    assert _claim(spool) == []
    with spool.transaction():
        spool.owners.remove(OTHER)
    assert _claim(spool) == ids


def test_a_claim_is_bounded(spool: Spool) -> None:
    """In rows and in bytes; one row alone may be larger."""
    ids = _store(spool, 4)
    assert _claim(spool, rows=1) == ids[:1]
    assert _claim(spool, size=1) == ids[1:2]
    assert _claim(spool) == ids[2:]


def test_what_is_rescheduled_is_claimed_when_it_is_due(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before; then with one more attempt."""
    _store(spool, 1)
    _claim(spool)
    with spool.transaction():
        spool.reschedule(ME, 1, due=clock.boot_clock() + 100, error="x")
    assert _claim(spool) == []
    now = clock.boot_clock()
    monkeypatch.setattr(clock, "boot_clock", lambda: now + 101)
    with spool.transaction():
        (row,) = spool.claim(ME, rows=9, size=9)
    assert row.attempts == 1
    assert row.age > 100


def test_setting_the_clock_changes_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time of day a day earlier or later makes nothing wait, nor age."""
    _store(spool, 1)
    for jump in (-86_400, 86_400):
        monkeypatch.setattr("time.time_ns", lambda jump=jump: 1_760_000_000 * 10**9 + jump * 10**9)
        with spool.transaction():
            (row,) = spool.claim(ME, rows=9, size=9)
            spool.owners.release_all(ME)
        assert row.age < 60


@pytest.mark.parametrize("is_known", [True, False])
def test_a_restart_of_the_host_makes_all_due(
    path: Path, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """Times of another boot mean nothing: all payloads are due, and ages count anew.

    The time of day may have been wrong when they came, or be wrong now, by any number of years.
    """
    with contextlib.closing(Spool(path)) as before:
        _store(before, 1)
        _claim(before)
        with before.transaction():
            before.reschedule(ME, 1, due=clock.boot_clock() + 10**6, error="x")
    monkeypatch.setattr(clock, "_system_id", lambda: "another" if is_known else "")
    monkeypatch.setattr(clock, "boot_clock", lambda: 3.0)
    monkeypatch.setattr(clock, "wall_clock", lambda: 3_000_000_000_000)
    with contextlib.closing(Spool(path)) as after, after.transaction():
        (row,) = after.claim(ME, rows=9, size=9)
    assert row.age == 0


def test_a_start_is_known_without_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one process can read the system's id and another cannot, both know the same start."""
    known = clock.boot_id()
    monkeypatch.setattr(clock, "_BOOT_ID", Path("/nowhere"))
    unknown = clock.boot_id()
    assert unknown.startswith("@")
    assert clock.is_this_boot(known)
    monkeypatch.undo()
    assert clock.is_this_boot(unknown)
    assert not clock.is_this_boot("")


def test_impossible_times_are_clamped(spool: Spool) -> None:
    """Where boots cannot be told apart, no wait is longer than the longest."""
    _store(spool, 1)
    query(spool.path, "UPDATE waiting SET due = 1e12, since = 1e12")
    assert _claim(spool) == []
    with spool.transaction():
        spool.clamp_times(600)
    with spool.transaction():
        (row,) = spool.claim(ME, rows=9, size=9)
    assert 0 <= row.age < 60


def test_a_dead_letter_is_kept(spool: Spool) -> None:
    """With its error and attempts; it is not claimed any more, until it is retried."""
    _store(spool, 2)
    _claim(spool)
    with spool.transaction():
        spool.dead_letter(ME, 1, error="LookupError: nowhere")
    assert _claim(spool) == []
    totals = spool.totals()
    assert (totals.waiting, totals.dead) == (1, 1)
    assert totals.dead_bytes == new_row("site-0").size
    (record,) = spool.reports.payloads("dead")
    assert (record["error"], record["attempts"]) == ("LookupError: nowhere", 1)
    with spool.transaction():
        assert spool.retry_dead() == 1
    assert _claim(spool) == [1]
    assert (spool.totals().waiting, spool.totals().dead) == (2, 0)


def test_only_its_owner_reschedules_a_row(spool: Spool) -> None:
    """Who was taken for dead and is not, does not disturb who took over; delivered is delivered."""
    _store(spool, 2)
    _claim(spool, OTHER)
    with spool.transaction():
        spool.reschedule(ME, 1, due=0, error="x")
        spool.dead_letter(ME, 2, error="x")
        spool.complete([1])
    assert query(spool.path, "SELECT id, owner FROM waiting") == [(2, OTHER)]
    assert spool.totals().dead == 0


def test_a_session_keeps_its_order(path: Path) -> None:
    """Ordered, a row is not claimed while an earlier one of its session is there at all."""
    with contextlib.closing(Spool(path, ordered=True)) as spool:
        with spool.transaction():
            sessions = ["a", "a", "b", None, None, "a"]
            spool.insert([new_row(session_id=s) for s in sessions], [0] * 6)
        assert _claim(spool) == [1, 3, 4, 5]
        with spool.transaction():
            spool.reschedule(ME, 1, due=clock.boot_clock() + 100, error="x")
        assert _claim(spool) == []
        with spool.transaction():
            spool.complete([1])
        assert _claim(spool) == [2]


def test_nothing_of_a_failed_transaction_stays(spool: Spool) -> None:
    """An error inside rolls everything back, the totals too."""

    def fail() -> None:
        with spool.transaction():
            spool.insert([new_row()], [0])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert spool.totals().waiting == 0
    assert _store(spool, 1) == [1]


def test_others_cannot_read_it(spool: Spool) -> None:
    """Bodies and cookies are the owner's alone, in every file."""
    _store(spool, 1)
    files = list(spool.path.parent.iterdir())
    assert len(files) >= 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_durability_decides_on_fsync(tmp_path: Path) -> None:
    """For "power", every commit is synchronised with the disk; for "process", checkpoints are."""
    for durability, expected in (("power", 2), ("process", 1)):
        spool = Spool(tmp_path / durability, durability=durability)  # type: ignore[arg-type]
        assert spool._connection.execute("PRAGMA synchronous").fetchone() == (expected,)
        assert spool._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        # As before a fork.
        spool._connection.close()
        assert spool._connection.execute("PRAGMA synchronous").fetchone() == (expected,)
        assert spool._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        spool.close()


def test_looking_at_a_spool_leaves_its_locks_alone(spool: Spool) -> None:
    """Any descriptor that a process closes takes the process's POSIX locks on the file with it."""
    before = _posix_locks(spool.path)
    assert before
    check_spool(spool.path)
    Spool(spool.path).close()
    assert _posix_locks(spool.path) == before


def _posix_locks(path: Path) -> list[str]:
    inode = str(path.stat().st_ino)
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return [line.split(maxsplit=1)[1] for line in lines if f":{inode} " in line]


# What cannot be used.


def _make_directory(path: Path) -> None:
    path.mkdir()


def _make_text(path: Path) -> None:
    path.write_text("my notes, which are longer than the header of a SQLite file would be. " * 3)


def _make_other_tables(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE users (name)")


def _make_newer(path: Path) -> None:
    fill(path, 1)
    query(path, "PRAGMA user_version = 99")


def _make_corrupt(path: Path) -> None:
    fill(path, 50)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_make_directory, "Is a directory"),
        (_make_text, "something else"),
        (_make_other_tables, "something else"),
        (_make_newer, "a newer version"),
        (_make_corrupt, "unisights spool repair"),
    ],
)
def test_what_is_no_spool_is_refused(path: Path, make: Any, words: str) -> None:
    """The error says what is wrong, and the file stays as it was."""
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=words):
        Spool(path)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """The error names the directory; it is known without making anything."""
    with pytest.raises(StoreError, match=r"no directory .*missing"):
        check_spool(tmp_path / "missing" / "spool.sqlite3")


def test_checking_makes_nothing(path: Path) -> None:
    """A management command that builds the app leaves no file behind."""
    check_spool(path)
    assert list(path.parent.iterdir()) == []


def test_a_full_file_takes_nothing_and_recovers(spool: Spool) -> None:
    """Without room, storing fails and leaves everything as it was; with room, it works again."""
    _store(spool, 5)
    spool._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreError, match="full"):
        _store(spool, 200)
    assert spool.totals().waiting == 5
    assert len(_claim(spool)) == 5
    with spool.transaction():
        spool.complete(range(1, 6))
    spool._connection.execute("PRAGMA max_page_count = 100000")
    assert len(_store(spool, 200)) == 200


def test_a_read_only_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so; here the connection is read-only, as root may write any file."""
    fill(path, 1)
    connect = sqlite3.connect

    def connect_read_only(file: str, **options: Any) -> sqlite3.Connection:
        return connect(file.replace("?mode=rw", "?mode=ro"), **options)

    with contextlib.closing(Spool(path)) as spool:
        monkeypatch.setattr(sqlite3, "connect", connect_read_only)
        read_only = Spool(path)
        with contextlib.closing(read_only), pytest.raises(StoreError, match="readonly"):
            _store(read_only, 1)
        assert spool.totals().waiting == 1


# Who is alive.


def test_a_live_owner_keeps_its_lock(path: Path) -> None:
    """Nobody else gets it; once the process is dead, one at a time does, and its file goes."""
    locks = ProcessLocks(path)
    owner, lock = locks.register()
    assert locks.lock_if_dead(owner) is None
    assert locks.any_alive()
    lock.close()
    assert not locks.any_alive()
    taken = locks.lock_if_dead(owner)
    assert taken is not None
    assert locks.lock_if_dead(owner) is None
    taken.close(removes=True)
    assert list(path.parent.iterdir()) == []


def test_a_killed_process_is_dead_at_once(path: Path) -> None:
    """SIGKILL releases the lock, with no time to pass."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from unisights._spool.process_locks import ProcessLocks\n"
        f"owner, lock = ProcessLocks(Path({str(path)!r})).register()\n"
        "print(owner, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([PYTHON, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        owner = int(child.stdout.readline())
        assert ProcessLocks(path).lock_if_dead(owner) is None
        child.send_signal(signal.SIGKILL)
        child.wait()
    taken = ProcessLocks(path).lock_if_dead(owner)
    assert taken is not None
    taken.close()
