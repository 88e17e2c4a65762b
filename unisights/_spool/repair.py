"""Repairs a corrupt spool: saves everything that can be read."""

import contextlib
import os
import secrets
import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from unisights._schema.content_id import digest
from unisights._spool.files import check_spool, explain, give_to_owner_of, is_disk_full, open_beside
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.rejections import COLUMNS, RejectionRow
from unisights._spool.store import Spool
from unisights._spool.tables import FORMAT
from unisights._sqlite.file_lock import LOCK_SECONDS, FileLock
from unisights._sqlite.versions import version_of
from unisights.errors import StoreError

_COPIES = {
    "payloads": ("id", "received_at", "content_id", "request", "raw", "quarantined"),
    "waiting": ("id", "owner", "attempts", "since", "due", "size", "session_id", "error"),
    "dead": ("id", "attempts", "died_at", "size", "session_id", "error"),
    "rejected": COLUMNS,
}

_MAX_GAP = 100_000
"""Where rows cannot be read one after the other, this many numbers at most are tried singly."""

_GREATEST_ID = 2**62
"""Greater than the number of any payload or rejection."""

_SUFFIXES = ("", "-wal", "-shm")
"""The ends of the names of a database's files."""

Values = tuple[Any, ...]
"""A row, with the columns of its table in `_COPIES`."""


@dataclass(frozen=True)
class Repair:
    """The result of a repair.

    Attributes:
        was_intact: whether there was nothing to repair.
        expected: the number of payloads and rejections by the spool's own totals; None if these
            could not be read.
        saved: the number of payloads and rejections in the spool now.
        kept: the present path of the corrupt file; None if there was nothing to repair.
    """

    was_intact: bool
    expected: int | None
    saved: int
    kept: Path | None = None


def repair_spool(path: Path) -> Repair:
    """If a spool is corrupt, copy what can be read to a new file, and keep the old one.

    Each body is compared with its content id: a body that has changed is not copied. Processes that
    are started meanwhile wait until it is done, and use the new file.

    Raises:
        StoreError: there is no such file, it is in use, or no new one can be written.
    """
    if not path.is_file():
        raise StoreError(f"cannot use the spool {path}: there is no such file")
    _check_is_spool(path)
    lock_path = path.with_name(f"{path.name}-lock")
    try:
        lock = FileLock(lock_path, partial(open_beside, path))
    except OSError as error:
        raise explain(path, error) from error
    try:
        # A process is inside a transaction for a moment only, unless it hangs.
        if not lock.acquire(LOCK_SECONDS):
            raise _in_use(path, f"; waited {LOCK_SECONDS:g} s for {lock.describe()}")
        # Who has opened the spool, but has no process lock yet, sees the new file afterwards.
        if ProcessLocks(path).any_alive():
            raise _in_use(path)
        return _repair(path)
    finally:
        lock.close()


def _in_use(path: Path, waited: str = "") -> StoreError:
    return StoreError(
        f"the spool {path} is in use: stop what uses it first, and what would start that again"
        f"{waited}"
    )


def _repair(path: Path) -> Repair:
    """Repair a spool whose lock is held."""
    if is_disk_full(path):
        # Not even an intact spool can be read then.
        raise StoreError(f"cannot repair the spool {path}: the disk is full, make room first")
    broken = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        _check_version(broken, path)
        expected = _expected(broken)
        if expected is not None and _is_intact(broken):
            return Repair(was_intact=True, expected=expected, saved=expected)
        rows = {table: dict(_salvage(broken, table)) for table in _COPIES}
    finally:
        # To close it, SQLite would write back the WAL, which may fail.
        with contextlib.suppress(sqlite3.Error):
            broken.close()
    # Nobody can guess its name, and put a link there.
    new = path.with_name(f"{path.name}-repaired-{secrets.token_hex(8)}")
    made = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        saved = _write(new, rows)
        give_to_owner_of(path, made)
        os.fchmod(made, stat.S_IMODE(path.stat().st_mode))
    except BaseException:
        # The disk may be full: half a copy only takes more of its room.
        _remove(new)
        raise
    finally:
        os.close(made)
    kept = path.with_name(f"{path.name}-corrupt-{time.time_ns() // 1_000_000_000}")
    for suffix in _SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{kept}{suffix}")
    new.replace(path)
    _remove(new)
    return Repair(was_intact=False, expected=expected, saved=saved, kept=kept)


def _check_is_spool(path: Path) -> None:
    """Raise StoreError for a file that never was a spool.

    A spool whose first page is damaged still has its lock file.
    """
    has_lock = path.with_name(f"{path.name}-lock").exists()
    try:
        check_spool(path)
    except StoreError:
        if not has_lock:
            raise


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StoreError for a spool of another version."""
    with contextlib.suppress(sqlite3.DatabaseError):
        if version_of(connection) not in {FORMAT.version, 0}:  # 0: its header may be damaged
            raise StoreError(f"cannot repair the spool {path}: {FORMAT.refusal(connection)}")


def _is_intact(connection: sqlite3.Connection) -> bool:
    try:
        if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            return False
        (payloads,) = connection.execute("SELECT count(*) FROM payloads").fetchone()
        (accounted,) = connection.execute(
            "SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM dead)"
        ).fetchone()
        (rejected,) = connection.execute("SELECT count(*) FROM rejected").fetchone()
    except sqlite3.DatabaseError:
        return False
    # Pages may be in order although a body on them has changed.
    sound, sound_rejected = (
        sum(_is_sound(table, values) for _, values in _salvage(connection, table))
        for table in ("payloads", "rejected")
    )
    is_whole = payloads == accounted == sound and rejected == sound_rejected
    return is_whole and bool(payloads + rejected == _expected(connection))


def _is_sound(table: str, values: Values) -> bool:
    """Return whether the body of a payload or of a rejection is unchanged since it was stored."""
    row = dict(zip(_COPIES[table], values, strict=True))
    return isinstance(row["raw"], bytes) and digest(row["raw"]) == row["content_id"]


def _expected(connection: sqlite3.Connection) -> int | None:
    try:
        (count,) = connection.execute("SELECT waiting + dead + rejected FROM state").fetchone()
    except (sqlite3.DatabaseError, TypeError):
        return None
    return int(count)


def _salvage(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, Values]]:
    """Return every row that can be read: from the front, from the back, then one by one between."""
    # The greatest number from the front, and the smallest from the back.
    front, back = 0, _GREATEST_ID
    for row_id, values in _read_along(connection, table, "id > ? ORDER BY id", front):
        front = row_id
        yield row_id, values
    for row_id, values in _read_along(connection, table, "id < ? ORDER BY id DESC", back):
        if row_id <= front:
            return
        back = row_id
        yield row_id, values
    if front == 0 and back == _GREATEST_ID:
        return  # Not even the tables' names can be read, or there is nothing.
    for row_id in range(front + 1, min(back, front + _MAX_GAP)):
        with contextlib.suppress(sqlite3.DatabaseError):
            for values in _read(connection, table, "id = ?", row_id):
                yield row_id, values


def _read_along(
    connection: sqlite3.Connection, table: str, condition: str, bound: int
) -> Iterator[tuple[int, Values]]:
    """Return row after row with its number, up to the first that cannot be read."""
    with contextlib.suppress(sqlite3.DatabaseError):
        while rows := _read(connection, table, condition, bound):
            (values,) = rows
            bound = values[0]
            yield bound, values


def _read(connection: sqlite3.Connection, table: str, condition: str, bound: int) -> list[Values]:
    columns = ", ".join(_COPIES[table])
    sql = f"SELECT {columns} FROM {table} WHERE {condition} LIMIT 1"  # noqa: S608
    return connection.execute(sql, (bound,)).fetchall()


def _write(path: Path, rows: dict[str, dict[int, Values]]) -> int:
    """Write a new spool, where all payloads but the dead letters wait.

    Returns:
        The number of its payloads and rejections.
    """
    spool = Spool(path)
    try:
        with spool.transaction():
            saved = 0
            for row_id, values in sorted(rows["payloads"].items()):
                if _is_sound("payloads", values):
                    dead, waiting = rows["dead"].get(row_id), rows["waiting"].get(row_id)
                    spool.restore(values, dead=dead, waiting=waiting)
                    saved += 1
            for row_id, values in sorted(rows["rejected"].items()):
                if _is_sound("rejected", values):
                    _id, *fields, _size = values
                    spool.rejections.restore(row_id, RejectionRow(*fields))
                    saved += 1
    finally:
        spool.close()
    if Path(f"{path}-wal").exists():
        raise StoreError(f"cannot repair the spool: {path} could not be written out")
    return saved


def _remove(path: Path) -> None:
    for suffix in (*_SUFFIXES, "-lock"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
