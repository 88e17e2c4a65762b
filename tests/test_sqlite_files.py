"""What every SQLite file of the package shares: versions, migrations, mounts."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PYTHON, process, read_until
from tests.sinks.places import store
from tests.spools import fill, new_row
from tests.support import ROOT, make_body
from unisights import decode_unisights_payload
from unisights._spool import connection, set_up, tables
from unisights._spool.store import Spool
from unisights._sqlite import file_lock, versions
from unisights._sqlite import mounts as mounts_module
from unisights._sqlite.file_lock import FileLock
from unisights._sqlite.mounts import is_mount_point
from unisights._sqlite.versions import Format
from unisights.errors import StoreError
from unisights.sinks import SQLiteSink, _sqlite_database, _sqlite_tables

# Two versions that are made up: each renames what the earlier one has.
_NEXT = "CREATE TABLE made_up (a TEXT);\nINSERT INTO made_up VALUES ('one');\n"
_LAST = "ALTER TABLE made_up RENAME COLUMN a TO b;\nUPDATE made_up SET b = b || ', two';\n"


class _Kind:
    """A kind of file: a spool, or the file of the SQLite sink."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, *, is_spool: bool) -> None:
        self.path = path
        self.is_spool = is_spool
        self._count = 0
        self._monkeypatch = monkeypatch
        self.format = tables.FORMAT if is_spool else _sqlite_tables.FORMAT
        first = self.format.version
        self.next = self._made_up(first + 1, "2.1.0", _NEXT, {first: _NEXT})
        both = {first: _NEXT, first + 1: _LAST}
        self.last = self._made_up(first + 2, "2.2.0", _NEXT + _LAST, both)

    def _made_up(self, version: int, needs: str, more: str, steps: dict[int, str]) -> Format:
        script = self.format.tables + more
        return replace(self.format, version=version, needs=needs, tables=script, migrations=steps)

    def use(self, version: Format) -> None:
        """Be this version of unisights from now on."""
        for module in (connection, set_up, tables) if self.is_spool else (_sqlite_database,):
            self._monkeypatch.setattr(module, "FORMAT", version)

    def add(self) -> None:
        """Store one payload, as a process of its own would."""
        if self.is_spool:
            fill(self.path, 1)
            return
        self._count += 1
        payload = decode_unisights_payload(make_body(asset_id=f"site-{self._count}"))
        (error,) = store(SQLiteSink(self.path), [payload])
        if error is not None:
            raise error

    def query(self, sql: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.path)) as reader:
            return reader.execute(sql).fetchall()

    def state(self) -> tuple[Any, ...]:
        """The version, and what is needed to read it."""
        ((version,),) = self.query("PRAGMA user_version")
        ((needs,),) = self.query("SELECT needs FROM about")
        return version, needs


@pytest.fixture(params=["spool", "sink"])
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Kind:
    """A kind of file, in each of the two kinds."""
    return _Kind(tmp_path / "file", monkeypatch, is_spool=request.param == "spool")


def test_a_new_file_says_what_it_is(kind: _Kind) -> None:
    """Its version, and the first version of unisights that can read it."""
    kind.add()
    assert kind.state() == (kind.format.version, "2.0.0")
    assert kind.query("PRAGMA application_id") == [(kind.format.application_id,)]


@pytest.mark.parametrize("from_next", [False, True])
def test_an_earlier_version_is_migrated(kind: _Kind, from_next: bool) -> None:
    """Step by step, with what it holds; a new file of the last version is the same."""
    kind.use(kind.next if from_next else kind.format)
    kind.add()
    kind.use(kind.last)
    kind.add()
    assert kind.state() == (kind.last.version, "2.2.0")
    assert kind.query("SELECT b FROM made_up") == [("one, two",)]
    payloads = kind.query("SELECT count(*) FROM payloads")
    assert payloads == [(2,)]
    schema = kind.query("SELECT name, sql FROM sqlite_master ORDER BY name")
    kind.path = kind.path.with_name("new")
    kind.add()
    assert kind.query("SELECT name, sql FROM sqlite_master ORDER BY name") == schema


def test_a_newer_version_is_refused(kind: _Kind) -> None:
    """The error names the version that can read it, which the file tells; it stays as it was."""
    kind.use(kind.last)
    kind.add()
    before = kind.path.read_bytes()
    kind.use(kind.format)
    with pytest.raises(Exception, match=r"newer version .* unisights 2\.2\.0 or later"):
        kind.add()
    assert kind.path.read_bytes() == before


def test_an_unknown_version_is_refused(kind: _Kind) -> None:
    """A version without a migration: the error says what to do, and the file stays as it was."""
    kind.add()
    before = kind.path.read_bytes()
    kind.use(replace(kind.last, migrations={kind.last.version - 1: _LAST}))
    with pytest.raises(Exception, match=r"an older version .* before 2\.2\.0"):
        kind.add()
    assert kind.path.read_bytes() == before


@pytest.mark.parametrize("statements", range(4))
def test_a_migration_that_fails_leaves_all_as_it_was(
    kind: _Kind, monkeypatch: pytest.MonkeyPatch, statements: int
) -> None:
    """Whatever it has done so far; the next attempt begins anew."""
    kind.add()
    before = kind.query("SELECT name, sql FROM sqlite_master")
    run = versions._run

    def fail(database: sqlite3.Connection, script: str) -> None:
        nonlocal statements
        for statement in versions._statements(script):
            if not statements:
                raise sqlite3.OperationalError("the disk is on fire")
            statements -= 1
            database.execute(statement)

    kind.use(kind.last)
    with monkeypatch.context() as patch:
        patch.setattr(versions, "_run", fail)
        with pytest.raises(Exception, match="on fire"):
            kind.add()
    assert versions._run is run
    assert kind.state() == (kind.format.version, "2.0.0")
    assert kind.query("SELECT name, sql FROM sqlite_master") == before
    kind.add()
    assert kind.state() == (kind.last.version, "2.2.0")


KILLED = """\
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from unisights._spool import set_up
from unisights._spool.store import Spool
from unisights._sqlite import versions

def die(database, script):
    for statement in versions._statements(script):
        database.execute(statement)
    database.execute("PRAGMA cache_spill = 1")
    os.kill(os.getpid(), signal.SIGKILL)

versions._run = die
old = set_up.FORMAT
set_up.FORMAT = replace(old, version=old.version + 1, migrations={old.version: sys.argv[2]})
Spool(Path(sys.argv[1]))
"""


def test_a_process_that_is_killed_during_a_migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spool has the earlier version, and the next process migrates it."""
    kind = _Kind(tmp_path / "file", monkeypatch, is_spool=True)
    kind.add()
    killed = subprocess.run([PYTHON, "-c", KILLED, str(kind.path), _NEXT], cwd=ROOT, check=False)
    assert killed.returncode < 0
    assert kind.state() == (kind.format.version, "2.0.0")
    kind.use(kind.next)
    kind.add()
    assert kind.state() == (kind.next.version, "2.1.0")


def test_a_spool_in_use_is_not_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of the earlier version go on; it is migrated once they have ended."""
    kind = _Kind(tmp_path / "file", monkeypatch, is_spool=True)
    with contextlib.closing(Spool(kind.path)) as old:
        _owner, lock = old.process_locks.register()
        kind.use(kind.next)
        with pytest.raises(StoreError, match="earlier version of unisights are still using it"):
            Spool(kind.path)
        kind.use(kind.format)
        with old.transaction():
            old.insert([new_row("a")], [0])
        lock.close(removes=True)
    kind.use(kind.next)
    kind.add()
    assert kind.query("SELECT count(*) FROM payloads") == [(2,)]


FORKED = """\
import os, sys
from pathlib import Path
from unisights._spool.store import Spool

path = Path(sys.argv[1])
spool = Spool(path)
_owner, lock = spool.process_locks.register()
if not os.fork():
    print("forked", flush=True)
sys.stdin.readline()
try:
    Spool(path)
except Exception as error:
    print(error, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_an_ended_process_does_not_keep_a_spool_from_being_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has none of its parent's locks. If it opens the spool later, it is refused."""
    kind = _Kind(tmp_path / "file", monkeypatch, is_spool=True)
    kind.add()
    command = [PYTHON, "-c", FORKED, str(kind.path)]
    with process(command, stdin=subprocess.PIPE) as parent:
        read_until(parent, "forked")
        kind.use(kind.next)
        with pytest.raises(StoreError, match="earlier version of unisights are still using it"):
            Spool(kind.path)
        parent.kill()
        parent.wait()
        kind.add()
        assert kind.state() == (kind.next.version, "2.1.0")
        assert parent.stdin is not None
        parent.stdin.write("\n")
        parent.stdin.flush()
        read_until(parent, "unisights 2.1.0 or later")


def test_whoever_has_an_earlier_version_open_stops(kind: _Kind) -> None:
    """It cannot know the new tables: it stores nothing, and says what is needed."""
    older = _Older(kind)
    older.add()
    kind.use(kind.next)
    kind.add()
    kind.use(kind.format)
    with pytest.raises(Exception, match=r"unisights 2\.1\.0 or later"):
        older.add()
    older.close()
    assert kind.query("SELECT count(*) FROM payloads") == [(2,)]


class _Older:
    """Something that keeps its file open, and has no process lock."""

    def __init__(self, kind: _Kind) -> None:
        self._spool = Spool(kind.path) if kind.is_spool else None
        self._database = None if kind.is_spool else _sqlite_database.Database(kind.path)
        self._count = 0

    def add(self) -> None:
        self._count += 1
        if self._spool is not None:
            with self._spool.transaction():
                self._spool.insert([new_row(f"a{self._count}")], [0])
        if self._database is not None:
            payload = decode_unisights_payload(make_body(asset_id=f"a{self._count}"))
            self._database.store([SQLiteSink("x")._prepare(payload)[0]])

    def close(self) -> None:
        for one in (self._spool, self._database):
            if one is not None:
                one.close()


# Files that are mounted by themselves.


MOUNTED = """\
import sys
from pathlib import Path
from tests.sinks.places import store
from tests.support import make_body
from unisights import StoreError, decode_unisights_payload
from unisights._spool.store import Spool
from unisights.sinks import SQLiteSink

mounted = Path(sys.argv[1])
try:
    Spool(mounted)
except StoreError as error:
    print(error)
link = mounted.with_name("link")
link.symlink_to(mounted)
print(*store(SQLiteSink(link), [decode_unisights_payload(make_body())]))
"""


def test_a_file_that_is_mounted_by_itself_is_refused(tmp_path: Path) -> None:
    """What SQLite keeps beside it would end with the container; the error names the directory."""
    isolated = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    has_it = shutil.which("unshare") is not None
    if not has_it or subprocess.run([*isolated, "true"], check=False).returncode:
        pytest.skip(
            "a file cannot be mounted here: that needs unshare, and root or user namespaces"
        )
    source, target = tmp_path / "source", tmp_path / "with space"
    source.touch()
    target.touch()
    # Both are on the same device.
    script = 'mount --bind "$1" "$2" && exec "$3" -c "$4" "$2"'
    done = subprocess.run(
        [*isolated, "sh", "-c", script, "sh", source, target, PYTHON, MOUNTED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    spool, sink = done.stdout.splitlines()
    assert "the file itself is mounted" in spool
    assert f"mount the directory {tmp_path}" in spool
    assert "the file itself is mounted" in sink
    assert source.stat().st_size == 0
    assert {file.name for file in tmp_path.iterdir()} == {"source", "with space", "link"}


def test_a_file_in_a_mounted_directory_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is yet to be made; and where the system does not list its mounts."""
    (tmp_path / "file").touch()
    for mounts in (mounts_module._MOUNTS, tmp_path / "no such list"):
        monkeypatch.setattr(mounts_module, "_MOUNTS", mounts)
        assert not is_mount_point(tmp_path / "missing")
        assert not is_mount_point(tmp_path / "file")


def test_the_holder_of_a_lock_is_on_the_same_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of two file systems may have the same number: the other one's holder is not named."""
    lock = FileLock(tmp_path / "lock")
    found = lock.path.stat()
    other = os.makedev(os.major(found.st_dev), os.minor(found.st_dev) + 1)
    lines = [
        f"{number}: FLOCK  ADVISORY  WRITE {pid} "
        f"{os.major(device):02x}:{os.minor(device):02x}:{found.st_ino} 0 EOF\n"
        for number, (pid, device) in enumerate([(11, other), (22, found.st_dev)])
    ]
    locks = tmp_path / "locks"
    monkeypatch.setattr(file_lock, "_LOCKS", locks)
    locks.write_text("".join(lines))
    assert lock.describe() == f"the lock {lock.path}, which process 22 holds"
    locks.write_text(lines[0])
    assert lock.describe() == f"the lock {lock.path}"
    lock.close()
