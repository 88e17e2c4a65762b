"""The files beside a spool: whose they are, and what others may put there or leave there."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.endpoints import serve
from tests.options import make_options
from tests.processes import PYTHON, wait_for
from tests.spools import fill, new_row, query
from tests.support import ROOT, make_body
from unisights import Inline
from unisights._cli.main import main
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._spool import connection
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.store import Spool
from unisights._spool.writer import SpoolWriter
from unisights._sqlite import open_database
from unisights.errors import StoreError

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a spool may be made."""
    return tmp_path / "spool"


@needs_root
def test_root_gives_away_no_file_of_another(path: Path, tmp_path: Path) -> None:
    """The service's user may have put a link to any file in the place of the lock."""
    fill(path, 1)
    os.chown(path, NOBODY, NOBODY)
    lock = Path(f"{path}-lock")
    lock.unlink()
    secret = tmp_path / "secret"
    secret.touch()
    lock.symlink_to(secret)
    assert main(["spool", "stat", str(path)]) == 1
    assert main(["spool", "repair", str(path)]) == 1
    assert secret.stat().st_uid == 0
    lock.unlink()
    lock.hardlink_to(secret)
    assert main(["spool", "stat", str(path)]) == 0
    assert secret.stat().st_uid == 0


@needs_root
def test_what_root_makes_is_the_services(path: Path) -> None:
    """Else the service could not lock its spool, nor take over what root's process has left."""
    fill(path, 1)
    os.chown(path, NOBODY, NOBODY)
    Path(f"{path}-lock").unlink()
    assert main(["spool", "stat", str(path)]) == 0
    owner, lock = ProcessLocks(path).register()
    lock.close()
    for file in (Path(f"{path}-lock"), Path(f"{path}-owner-{owner}")):
        assert file.stat().st_uid == NOBODY


@needs_root
def test_a_repair_writes_through_no_link(path: Path, tmp_path: Path) -> None:
    """The new file has a name that nobody knows before, and belongs to the service."""
    fill(path, 1)
    query(path, "UPDATE state SET waiting = 5")
    os.chown(path, NOBODY, NOBODY)
    secret = tmp_path / "secret"
    secret.touch()
    for end in ("-repaired", "-repaired-lock"):
        Path(f"{path}{end}").symlink_to(secret)
    main(["spool", "repair", str(path)])
    assert (secret.stat().st_uid, secret.stat().st_size) == (0, 0)
    assert path.stat().st_uid == NOBODY
    with closing(Spool(path)) as spool:
        assert spool.totals().waiting == 1


@pytest.fixture
def post(path: Path) -> Iterator[Callable[[str], int]]:
    """Posts a payload to an endpoint with that spool."""
    options = make_options(delivery="durable", handler=print, spool=path)
    endpoint = SyncEndpoint(options, Inline())
    yield lambda label: serve(endpoint, make_body(asset_id=label)).status
    endpoint.delivery.close()


def test_a_directory_that_was_gone_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart; and meanwhile the thread pauses between its attempts."""
    path = tmp_path / "directory" / "spool"
    path.parent.mkdir()
    attempts, seconds = [], []
    keep_current, keep_up = Spool.keep_current, SpoolWriter._keep_up_safely

    def count_attempt(spool: Spool) -> None:
        attempts.append(1)
        keep_current(spool)

    def count_second(of: SpoolWriter) -> None:
        seconds.append(1)
        keep_up(of)

    monkeypatch.setattr(Spool, "keep_current", count_attempt)
    monkeypatch.setattr(SpoolWriter, "_keep_up_safely", count_second)
    endpoint = SyncEndpoint(make_options(delivery="durable", handler=print, spool=path), Inline())
    assert serve(endpoint, make_body(asset_id="a")).status == 202
    shutil.rmtree(path.parent)
    assert serve(endpoint, make_body(asset_id="b")).status == 503
    attempts.clear()
    seconds.clear()
    wait_for(lambda: len(seconds) >= 2, "the upkeep")
    assert len(attempts) < 50
    path.parent.mkdir()
    assert serve(endpoint, make_body(asset_id="c")).status == 202
    endpoint.delivery.close()


def test_a_lock_that_cannot_be_made_keeps_nobody_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As descriptors run out, for example: the next transaction tries again."""

    def fail(*_given: object) -> int:
        raise OSError(24, "Too many open files")

    with closing(Spool(path)) as spool:
        Path(f"{path}-lock").unlink()
        with monkeypatch.context() as patch:
            patch.setattr(connection, "open_beside", fail)
            for _ in range(2):
                with pytest.raises(StoreError, match="Too many open files"), spool.transaction():
                    raise AssertionError("nothing may be stored")
        with spool.transaction():
            spool.insert([new_row("a")], [0])


CRASH = """\
import os, sys
from pathlib import Path
from tests.spools import new_row
from unisights._spool.store import Spool

spool = Spool(Path(sys.argv[1]))
with spool.transaction():
    spool.insert([new_row("a"), new_row("b")], [0, 0])
os._exit(0)
"""


def test_the_wal_of_a_moved_file_is_kept_after_a_crash(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who moves a file aside forgets the files beside it, and puts it back later."""
    subprocess.run([PYTHON, "-c", CRASH, str(path)], cwd=ROOT, check=True, timeout=60)
    aside = path.with_name("aside")
    path.rename(aside)
    Spool(path).close()
    (kept,) = path.parent.glob("spool-lost-*-wal")
    assert str(kept) in caplog.text
    kept.rename(f"{aside}-wal")
    with closing(Spool(aside)) as spool:
        assert spool.totals().waiting == 2
    path.unlink()
    Path(f"{path}-wal").touch()
    Spool(path).close()
    assert not list(path.parent.glob("spool-lost-*"))


@pytest.mark.parametrize("removed", ["", "-wal", "moved"])
def test_closing_saves_what_removed_files_hold(path: Path, removed: str) -> None:
    """Nobody may have noticed before the connection is closed."""
    spool = Spool(path)
    with spool.transaction():
        spool.insert([new_row("a")], [0])
    moved = path.with_name("moved")
    if removed == "moved":
        path.rename(moved)
    else:
        Path(f"{path}{removed}").unlink()
    spool.close()
    with closing(Spool(moved if removed == "moved" else path)) as found:
        assert found.totals().waiting == 1


def test_one_lock_that_cannot_be_opened_stops_no_upkeep(
    path: Path, post: Callable[[str], int], caplog: pytest.LogCaptureFixture
) -> None:
    """That of a process of another user, for example; the file is named."""
    first, second = 5, 7
    with closing(Spool(path)) as spool, spool.transaction():
        for owner in (first, second):
            spool.owners.add(owner)
            spool.insert([new_row(f"of-{owner}")], [owner])
    Path(f"{path}-owner-{first}").mkdir()
    Path(f"{path}-owner-{second}").touch()
    assert post("a") == 202
    left = "SELECT owner FROM waiting"
    wait_for(lambda: query(path, left) == [(first,)], "the take-over")
    assert f"{path}-owner-{first}" in caplog.text


def _rescued(path: Path) -> Path:
    """Make a file that a process has rescued, with two payloads."""
    aside = path.with_name("aside")
    fill(aside, 2)
    return aside.rename(path.with_name("spool-rescue-0123456789abcdef"))


def _spoil(file: Path, how: str) -> None:
    if how == "newer":
        query(file, "PRAGMA user_version = 99")
    elif how == "no state":
        query(file, "DELETE FROM state")
    elif how == "foreign":
        os.chown(file, NOBODY, NOBODY)
    elif how == "link":
        file.symlink_to(file.rename(file.with_name("elsewhere")))
    else:
        file.unlink()
    if how == "other tables":
        query(file, "CREATE TABLE x (a)")
    elif how == "garbage":
        file.write_bytes(b"x" * 5000)
    elif how == "directory":
        file.mkdir()
    elif how == "dangling link":
        file.symlink_to("/nowhere/x")
    elif how == "fifo":
        os.mkfifo(file)


BAD = ["newer", "no state", "foreign", "link", "other tables", "garbage", "directory"]


@pytest.mark.parametrize("bad", [*BAD, "dangling link", "fifo"])
def test_a_rescue_that_cannot_be_taken_in_is_put_aside(
    path: Path, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The spool is opened without it, and the log names it; nothing is deleted."""
    if bad == "foreign" and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    rescued = _rescued(path)
    _spoil(rescued, bad)
    with closing(Spool(path)) as spool:
        assert spool.totals().waiting == 0
    (kept,) = path.parent.glob("spool-corrupt-*")
    assert str(kept) in caplog.text
    caplog.clear()
    Spool(path).close()
    assert not caplog.records


def test_a_rescue_with_a_changed_body_is_kept(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The other payloads are taken in, and the log says how many are not."""
    rescued = _rescued(path)
    query(rescued, "UPDATE payloads SET raw = x'00' WHERE id = 1")
    with closing(Spool(path)) as spool:
        assert spool.totals().waiting == 1
    (kept,) = path.parent.glob("spool-corrupt-*")
    assert query(kept, "SELECT count(*) FROM payloads") == [(2,)]
    assert "the bodies of 1 payloads have changed" in caplog.text


@pytest.mark.parametrize("is_finished", [True, False])
def test_what_a_killed_process_was_rescuing_is_taken_in_or_removed(
    path: Path, is_finished: bool
) -> None:
    """A copy that is complete has only lacked its name."""
    rescued = _rescued(path)
    part = rescued.rename(f"{rescued}.part")
    if not is_finished:
        part.write_bytes(b"")
    with closing(Spool(path)) as spool:
        assert spool.totals().waiting == (2 if is_finished else 0)
    assert not list(path.parent.glob("spool-rescue-*"))
    assert not list(path.parent.glob("spool-corrupt-*"))


def test_attempts_to_save_removed_files_leave_one_copy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may fail after it has copied them."""

    def fail(_files: object) -> None:
        raise OSError(5, "Input/output error")

    with closing(Spool(path)) as spool:
        with spool.transaction():
            spool.insert([new_row("a")], [0])
        Path(f"{path}-wal").unlink()
        Path(f"{path}-wal").touch()
        with monkeypatch.context() as patch:
            patch.setattr(open_database.OpenDatabase, "drop_wal", fail)
            for _ in range(3):
                with pytest.raises(StoreError, match="Input/output"):
                    spool.keep_current()
            assert len(list(path.parent.glob("spool-rescue-*"))) == 1
        spool.keep_current()
        assert spool.totals().waiting == 1


@pytest.mark.parametrize("how", ["moved", "linked", "without /dev/fd"])
def test_the_log_says_what_stays_in_a_moved_file(
    path: Path, how: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose name was removed may have another one, in a backup by hard links for example."""
    if how == "without /dev/fd":
        monkeypatch.setattr(open_database, "_DESCRIPTORS", path.with_name("nowhere"))
    other = path.with_name("other")
    with closing(Spool(path)) as spool:
        with spool.transaction():
            spool.insert([new_row("a"), new_row("b")], [0, 0])
        if how == "linked":
            other.hardlink_to(path)
            path.unlink()
        else:
            path.rename(other)
        spool.keep_current()
        assert spool.totals().waiting == 0
    assert "2 waiting payloads stay in that file" in caplog.text
    with closing(Spool(other)) as spool:
        assert spool.totals().waiting == 2


def test_a_removed_file_is_known_without_a_list_of_descriptors(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it held is taken along."""
    monkeypatch.setattr(open_database, "_DESCRIPTORS", path.with_name("nowhere"))
    with closing(Spool(path)) as spool:
        with spool.transaction():
            spool.insert([new_row("a")], [0])
        path.unlink()
        spool.keep_current()
        assert spool.totals().waiting == 1
