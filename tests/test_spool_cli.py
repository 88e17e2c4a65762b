"""`unisights spool`: inspecting and repairing a spool."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.processes import PYTHON, Process, process, read_to_end, read_until
from tests.spools import REQUEST, fill, new_row, query, rejected_row
from tests.support import ROOT
from unisights._cli.main import main
from unisights._spool import connection, repair
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.store import Spool
from unisights.errors import StoreError

ACTIONS = ["stat", "list", "export", "retry", "replay", "drop --dead --no-export", "repair"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a spool may be made."""
    return tmp_path / "spool.sqlite3"


def _lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_stat(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what is waiting, owned and dead, in payloads and bytes, and the rows per commit."""
    fill(path, 5, dead=2)
    size = new_row("site-0").size
    assert main(["spool", "stat", "--format", "json", str(path)]) == 0
    (found,) = _lines(capsys)
    assert found.pop("oldest_seconds") >= 0
    assert found == {
        "waiting": 3,
        "waiting_bytes": 3 * size,
        "owned": 0,
        "dead": 2,
        "dead_bytes": 2 * size,
        "rejected": 0,
        "rejected_bytes": 0,
        "stored": 5,
        "commits": 1,
        "rows_per_commit": 5.0,
    }
    assert main(["spool", "stat", str(path)]) == 0
    assert re.search(r"^waiting +3$", capsys.readouterr().out, re.MULTILINE)


def test_stat_of_an_empty_spool(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no oldest payload, and no commit."""
    fill(path, 0)
    assert main(["spool", "stat", str(path)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^oldest seconds +-$", shown, re.MULTILINE)


def test_export(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object on each line: body as text, request, content id, and why it failed."""
    fill(path, 3, dead=1)
    assert main(["spool", "export", "--dead", str(path)]) == 0
    (dead,) = _lines(capsys)
    row = new_row("site-0")
    assert dead.pop("died_at") > 1_700_000_000_000
    assert dead == {
        "state": "dead",
        "id": 1,
        "received_at": row.received_at,
        "session_id": row.session_id,
        "content_id": row.content_id,
        "attempts": 1,
        "error": "LookupError: no such place",
        "quarantined": [],
        "request": json.loads(REQUEST),
        "body": row.raw.decode(),
    }
    assert main(["spool", "export", "--waiting", str(path)]) == 0
    assert [line["id"] for line in _lines(capsys)] == [2, 3]
    assert main(["spool", "export", str(path)]) == 0
    assert [line["state"] for line in _lines(capsys)] == ["waiting", "waiting", "dead"]


def test_retry(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dead letters wait again, some or all; an id of something else is a failure."""
    fill(path, 5, dead=4)
    assert main(["spool", "retry", "--id", "1", "--id", "2", str(path)]) == 0
    assert capsys.readouterr().out == "2 dead letters will be retried\n"
    assert query(path, "SELECT count(*) FROM dead") == [(2,)]
    assert main(["spool", "retry", "--id", "1", str(path)]) == 1
    assert "no dead letters" in capsys.readouterr().err
    assert main(["spool", "retry", str(path)]) == 0
    assert query(path, "SELECT count(*) FROM waiting") == [(5,)]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_missing_file_is_a_failure(
    path: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 and a message; nothing is made."""
    assert main(["spool", *action.split(), str(path)]) == 1
    assert "there is no such file" in capsys.readouterr().err
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("action", ACTIONS)
def test_another_file_is_left_alone(
    path: Path, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 and a message; the file stays as it is."""
    path.write_text("my notes, which are longer than the header of a SQLite file would be. " * 3)
    before = path.read_bytes()
    assert main(["spool", *action.split(), str(path)]) == 1
    assert "something else" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_repairing_what_is_intact(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says that the spool is intact, and changes nothing."""
    fill(path, 5, dead=1)
    before = path.read_bytes()
    assert main(["spool", "repair", str(path)]) == 0
    assert "intact: 5 records" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_repairing_a_corrupt_spool(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be read is saved and will be delivered; the corrupt file is kept beside it."""
    fill(path, 200, dead=3)
    content = bytearray(path.read_bytes())
    damaged = 4096 * (len(content) // 4096 // 2)
    content[damaged : damaged + 4096] = bytes(range(256)) * 16
    path.write_bytes(content)
    assert main(["spool", "stat", str(path)]) == 1
    assert "unisights spool repair" in capsys.readouterr().err
    assert main(["spool", "repair", str(path)]) == 1
    printed = capsys.readouterr().out
    found = re.search(r"(\d+) of 200 records were saved", printed)
    assert found is not None
    saved = int(found[1])
    assert 150 <= saved < 200
    (kept,) = path.parent.glob("*-corrupt-*")
    assert kept.read_bytes()[damaged : damaged + 8] == bytes(range(8))
    spool = Spool(path)
    with spool.transaction():
        claimed = spool.claim(1, rows=1000, size=10**9)
        (new,) = spool.insert([new_row("new")], [0])
    spool.close()
    assert len(claimed) + len(query(path, "SELECT * FROM dead")) == saved
    assert all(row.content_id == new_row(f"site-{row.id - 1}").content_id for row in claimed)
    assert new > 200
    assert main(["spool", "repair", str(path)]) == 0


def test_a_body_that_was_changed_is_not_delivered(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each payload is compared with its content id, even if SQLite finds nothing wrong."""
    fill(path, 3)
    query(path, "UPDATE payloads SET raw = CAST('{}' AS BLOB) WHERE id = 2")
    assert main(["spool", "repair", str(path)]) == 1
    assert "2 of 3 records were saved" in capsys.readouterr().out


def test_a_spool_without_its_first_page(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If nothing can be read, a new spool works, and the old file is kept."""
    fill(path, 3)
    content = bytearray(path.read_bytes())
    content[:4096] = bytes(4096)
    path.write_bytes(content)
    assert main(["spool", "repair", str(path)]) == 1
    assert "of an unknown number" in capsys.readouterr().out
    assert len(list(path.parent.glob("*-corrupt-*"))) == 1
    fill(path, 1)


def test_a_spool_in_use_is_not_repaired(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever uses it would go on writing to the old file, so the repair is refused."""
    fill(path, 1)
    _, lock = ProcessLocks(path).register()
    assert main(["spool", "repair", str(path)]) == 1
    assert "in use" in capsys.readouterr().err
    lock.close(removes=True)


APP = """\
import logging, os, signal, sys
from tests.endpoints import serve
from tests.support import make_body
from unisights import Durable, Inline, UnisightsOptions
from unisights._endpoint.synchronous import SyncEndpoint

logging.disable()

def fail(payload, request):
    raise LookupError

options = UnisightsOptions(delivery=Durable(sys.argv[1]), handler=fail)
endpoint = SyncEndpoint(options, Inline())
print("started", flush=True)
print([serve(endpoint, make_body(asset_id=f"a{n}")).status for n in range(5)], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_app_that_is_started_during_a_repair_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor may start it again: it waits for the repair, and stores in the new file."""
    fill(path, 3)
    query(path, "UPDATE payloads SET raw = CAST('{}' AS BLOB) WHERE id = 2")
    salvage = repair._salvage
    app: list[Process] = []

    def start_app(connection: sqlite3.Connection, table: str) -> Any:
        rows = list(salvage(connection, table))
        if not app:
            command = [PYTHON, "-c", APP, str(path)]
            app.append(stack.enter_context(process(command)))
            read_until(app[0], "started")
        return iter(rows)

    monkeypatch.setattr(repair, "_salvage", start_app)
    with contextlib.ExitStack() as stack:
        assert main(["spool", "repair", str(path)]) == 1
        output = read_to_end(app[0])
    assert output == f"{[202] * 5}\n"
    assert query(path, "SELECT count(*) FROM waiting") == [(2 + 5,)]


# The account cannot read the interpreter's directory, so that everything is imported before.
SERVICE = """\
import encodings.ascii, os, sys
from pathlib import Path
from tests.spools import new_row
from unisights._spool.store import Spool

row = new_row("a")
os.setgroups([])
os.setgid(12346)
os.setuid(12345)
spool = Spool(Path(sys.argv[1]))
with spool.transaction():
    spool.insert([row], [0])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files that others cannot use")
@pytest.mark.parametrize("action", ACTIONS)
def test_a_command_of_root_does_not_lock_out_the_service(
    action: str,
) -> None:
    """All that it makes beside a spool, restored from a backup for example, is the service's."""
    directory = Path(tempfile.mkdtemp())
    try:
        path = directory / "spool"
        fill(path, 1)
        for file in directory.iterdir():
            if file != path:
                file.unlink()
        for file in (directory, path):
            os.chown(file, 12345, 12346)
        # Something reads the spool at the same time, so that the WAL and its index stay.
        with contextlib.closing(sqlite3.connect(path)) as reader:
            reader.execute("SELECT count(*) FROM payloads").fetchone()
            assert main(["spool", *action.split(), str(path)]) == 0
            found = {
                file.name: (file.stat().st_uid, file.stat().st_gid) for file in directory.iterdir()
            }
        assert "spool-lock" in found
        assert set(found.values()) == {(12345, 12346)}
        subprocess.run([PYTHON, "-c", SERVICE, str(path)], cwd=ROOT, check=True)
    finally:
        shutil.rmtree(directory)


def test_a_repaired_spool_is_its_owners(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A repair by root keeps the owner and mode of the file, also by way of a link."""
    fill(path, 3)
    query(path, "UPDATE payloads SET raw = CAST('{}' AS BLOB) WHERE id = 2")
    if os.geteuid() == 0:
        os.chown(path, 12345, 12346)
    was = path.stat()
    link = path.with_name("link")
    link.symlink_to(path)
    assert main(["spool", "repair", str(link)]) == 1
    assert link.is_symlink()
    found = path.stat()
    assert found.st_ino != was.st_ino
    assert (found.st_uid, found.st_gid, found.st_mode) == (was.st_uid, was.st_gid, was.st_mode)


def test_a_spool_in_use_by_another_name_is_not_repaired(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process locks are beside the file, not beside a link to it."""
    fill(path, 1)
    (path.parent / "there").mkdir()
    link = path.parent / "there" / "link"
    link.symlink_to(path)
    _, lock = ProcessLocks(path).register()
    assert main(["spool", "repair", str(link)]) == 1
    assert "in use" in capsys.readouterr().err
    lock.close(removes=True)


@pytest.mark.parametrize("action", ["stat", "repair"])
def test_a_full_disk_is_called_so(
    path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    """SQLite reports an I/O error; the command says what it means, and repairs nothing."""
    fill(path, 3)

    def fail(*_given: Any, **_named: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=0))
    monkeypatch.setattr("unisights._spool.connection.set_up", fail)
    assert main(["spool", *action.split(), str(path)]) == 1
    assert "the disk is full" in capsys.readouterr().err


def test_a_repair_that_fails_leaves_no_copy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for a new spool, the unfinished one is removed, and the old one stays."""
    fill(path, 3)
    query(path, "UPDATE payloads SET raw = x'00' WHERE id = 1")
    before = path.read_bytes()

    def have_no_room(*_given: Any, **_named: Any) -> Any:
        raise StoreError("database or disk is full")

    monkeypatch.setattr("unisights._spool.store.Spool.restore", have_no_room)
    assert main(["spool", "repair", str(path)]) == 1
    assert not list(path.parent.glob("*-repaired*"))
    assert path.read_bytes() == before


# Dropping.


def _kinds(path: Path) -> list[tuple[object, ...]]:
    """The numbers of what waits, of dead letters and of rejected records."""
    return query(
        path,
        "SELECT 'waiting', id FROM waiting UNION ALL SELECT 'dead', id FROM dead "
        "UNION ALL SELECT 'rejected', id FROM rejected ORDER BY 2",
    )


@pytest.fixture
def filled(path: Path) -> Path:
    """A spool: 1 and 2 are dead letters, 3 to 5 wait, 6 was rejected."""
    fill(path, 5, dead=2)
    with contextlib.closing(Spool(path)) as spool, spool.transaction():
        spool.rejections.insert([rejected_row(b"{}")], max_bytes=10**6)
    return path


DEAD = [("dead", 1), ("dead", 2)]
WAITING = [("waiting", 3), ("waiting", 4), ("waiting", 5)]
REJECTED = [("rejected", 6)]


@pytest.mark.parametrize(
    ("which", "left", "shown"),
    [
        (["--dead"], [*WAITING, *REJECTED], "dropped 2 dead letters: 1-2\n"),
        (["--waiting"], [*DEAD, *REJECTED], "dropped 3 waiting payloads: 3-5\n"),
        (["--rejected"], [*DEAD, *WAITING], "dropped 1 rejected record: 6\n"),
        (
            ["--dead", "--rejected"],
            WAITING,
            "dropped 2 dead letters: 1-2\ndropped 1 rejected record: 6\n",
        ),
        (
            ["--waiting", "--id", "3", "--id", "5"],
            [*DEAD, ("waiting", 4), *REJECTED],
            "dropped 2 waiting payloads: 3, 5\n",
        ),
        (
            ["--id", "2"],
            [("dead", 1), *WAITING, *REJECTED],
            "dropped 0 waiting payloads\ndropped 1 dead letter: 2\ndropped 0 rejected records\n",
        ),
    ],
)
def test_drop(
    filled: Path,
    which: list[str],
    left: list[tuple[object, ...]],
    shown: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Deletes what was asked for and nothing else, with its bodies, and says what."""
    assert main(["spool", "drop", *which, "--no-export", str(filled)]) == 0
    assert capsys.readouterr().out == shown
    assert _kinds(filled) == left
    expected = sum(kind != "rejected" for kind, _ in left)
    assert query(filled, "SELECT count(*) FROM payloads") == [(expected,)]
    with contextlib.closing(Spool(filled)) as spool:
        totals = spool.totals()
    assert totals.waiting + totals.dead + totals.rejected == len(left)


def test_what_is_dropped_can_be_kept(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is in a file of its own by then, as it is exported; nobody else can read that."""
    assert main(["spool", "export", "--dead", "--rejected", str(filled)]) == 0
    expected = capsys.readouterr().out
    kept = filled.with_name("kept.ndjson")
    command = ["spool", "drop", "--dead", "--rejected", "--export", str(kept), str(filled)]
    assert main(command) == 0
    assert f"their content is in {kept}" in capsys.readouterr().out
    assert kept.read_text() == expected
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert main(command) == 1
    assert "File exists" in capsys.readouterr().err
    assert kept.read_text() == expected


@pytest.mark.parametrize(
    "arguments",
    [["--no-export"], ["--export", "x"], ["--dead"], ["--dead", "--no-export", "--export", "x"]],
)
def test_drop_has_to_be_told_what_to_do(
    filled: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is dropped unless it is said which records, and whether to keep their content."""
    try:
        status = main(["spool", "drop", *arguments, str(filled)])
    except SystemExit as wrong_usage:
        status = wrong_usage.code  # type: ignore[assignment]  # argparse gives a number
    assert status == 2
    assert re.search("--dead|--export", capsys.readouterr().err)
    assert _kinds(filled) == [*DEAD, *WAITING, *REJECTED]


@pytest.mark.parametrize(
    "which", [["--id", "3", "--id", "99"], ["--dead", "--id", "1", "--id", "3"]]
)
def test_a_wrong_id_drops_nothing(
    filled: Path, which: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Someone who mistypes a number has lost nothing."""
    assert main(["spool", "drop", *which, "--no-export", str(filled)]) == 1
    assert "nothing was dropped" in capsys.readouterr().err
    assert _kinds(filled) == [*DEAD, *WAITING, *REJECTED]


def test_what_cannot_be_kept_is_not_dropped(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that is full keeps the records in the spool."""

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    kept = str(filled.with_name("kept"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert main(["spool", "drop", "--dead", "--export", kept, str(filled)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert _kinds(filled) == [*DEAD, *WAITING, *REJECTED]


def test_what_a_process_works_on_may_be_dropped(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says so; the result of the attempt changes nothing any more."""
    with contextlib.closing(Spool(filled)) as spool:
        with spool.transaction():
            assert len(spool.claim(7, rows=2, size=10**9)) == 2
        assert main(["spool", "drop", "--waiting", "--no-export", str(filled)]) == 0
        assert "had 2 of them in its memory" in capsys.readouterr().out
        with spool.transaction():
            spool.complete([3])
            spool.reschedule(7, 4, due=0, error="x")
            spool.dead_letter(7, 4, error="x")
    assert _kinds(filled) == [*DEAD, *REJECTED]


def test_a_slow_export_holds_nobody_up(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be on a network disk that hangs. What changes its state meanwhile is not dropped."""

    def change(_descriptor: int) -> None:
        with contextlib.closing(Spool(filled)) as other, other.transaction():
            other.retry_dead([1])

    monkeypatch.setattr(connection, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(os, "fsync", change)
    kept = filled.with_name("kept")
    which = ["--id", "1", "--id", "2", "--export", str(kept)]
    assert main(["spool", "drop", *which, str(filled)]) == 1
    shown = capsys.readouterr()
    assert "dropped 1 dead letter: 2\n" in shown.out
    assert "1 of the records changed meanwhile" in shown.err
    assert _kinds(filled) == [("waiting", 1), *WAITING, *REJECTED]


def test_an_error_of_the_spool_is_none_of_the_export(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the message looks at the right disk."""

    def fail(*_given: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Spool, "delete", fail)
    kept = str(filled.with_name("kept"))
    with pytest.raises(OSError, match="Input/output error"):
        main(["spool", "drop", "--dead", "--export", kept, str(filled)])
