"""Takes in what processes have rescued of a spool's former files, see `rescue`."""

import contextlib
import errno
import glob
import logging
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

from unisights._runtime.log import log
from unisights._schema.content_id import digest
from unisights._spool import clock
from unisights._spool.files import primary_code
from unisights._spool.ids import skip_id, take_ids
from unisights._spool.statements import marks
from unisights._spool.tables import FORMAT, NOBODY
from unisights._sqlite.connection import connect
from unisights.errors import StoreError

_DAMAGED = {
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR),
    sqlite3.SQLITE_CANTOPEN,
}
"""The errors of a rescued file that cannot be read."""

_OF_THE_SPOOL = {
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_NOMEM),
    sqlite3.SQLITE_CORRUPT,
}
"""The errors of the spool once a rescued file has been read through."""

_PAYLOAD = "id, received_at, content_id, request, raw, quarantined"


def take_in(connection: sqlite3.Connection, path: Path) -> None:
    """Store what processes have rescued of the spool's former files; the caller holds its lock.

    What cannot be read is put aside, and does not keep the spool from being opened.
    """
    names = f"{glob.escape(path.name)}-rescue-{'?' * 16}"
    # Who was writing an unfinished one has ended, or it would hold the lock.
    for rescued in [*path.parent.glob(names), *path.parent.glob(f"{names}.part")]:
        try:
            _check_owner(rescued, path)
            with contextlib.closing(connect(rescued)) as source:
                count, changed = _take_all(connection, source)
        except (StoreError, sqlite3.Error, OSError, TypeError, ValueError) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if not isinstance(error, StoreError) and primary_code(error) in _OF_THE_SPOOL:
                message = f"cannot take in {rescued}: {error}; the next opening tries again"
                raise StoreError(f"cannot use the spool {path}: {message}") from error
            if isinstance(error, PermissionError):
                message = "cannot take in what was rescued of the spool: %s: give it by chown to %s"
                log(logging.ERROR, "spool_lost", message, error, "the owner of the spool")
            else:
                _put_aside(rescued, path, str(error))
            continue
        if count is None:
            _remove(rescued)
            continue
        if changed:
            _put_aside(rescued, path, f"the bodies of {changed} payloads have changed")
        else:
            _remove(rescued)
        message = "the files of the spool %s were removed: %d payloads and rejections were kept"
        log(logging.WARNING, "spool_rescued", message, path, count)


def _check_owner(rescued: Path, path: Path) -> None:
    """Raise StoreError for what no process that uses the spool has made."""
    found = rescued.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise StoreError("it is no regular file")
    if found.st_uid not in {0, os.geteuid(), path.stat().st_uid}:
        raise StoreError(f"it belongs to another user, {found.st_uid}")
    if not os.access(rescued, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(rescued))


def _check_pages(source: sqlite3.Connection) -> bool:
    """Return whether the copy was finished.

    Raises:
        StoreError: it is damaged.
    """
    try:
        (is_finished,) = source.execute("PRAGMA schema_version").fetchone()
        (found,) = source.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in _DAMAGED:
            raise
        raise StoreError(str(error)) from error
    if found != "ok":
        raise StoreError(f"corrupt: {found}")
    return bool(is_finished)


def _put_aside(rescued: Path, path: Path, reason: str) -> None:
    kept = path.with_name(f"{path.name}-corrupt-{time.time_ns() // 1_000_000}-{rescued.name[-16:]}")
    try:
        rescued.rename(kept)
    except OSError as error:
        kept, reason = rescued, f"{reason}; nor can it be renamed: {error}"
    message = "cannot read all that was in the spool: it was kept as %s: %s"
    log(logging.ERROR, "spool_lost", message, kept, reason)


def _remove(rescued: Path) -> None:
    for end in ("", "-journal"):
        Path(f"{rescued}{end}").unlink(missing_ok=True)


def _take_all(connection: sqlite3.Connection, source: sqlite3.Connection) -> tuple[int | None, int]:
    """Copy all rows, in a transaction; return what `_take_rows` does; None: it was unfinished."""
    if not _check_pages(source):
        return None, 0
    connection.execute("BEGIN IMMEDIATE")
    taken = _take_rows(connection, source)
    connection.execute("COMMIT")
    return taken


def _take_rows(connection: sqlite3.Connection, source: sqlite3.Connection) -> tuple[int, int]:
    """Copy all rows that are not there.

    Returns:
        The number of payloads and rejections, and that of the payloads whose body has changed.
    """
    source.execute("BEGIN IMMEDIATE")
    FORMAT.migrate(source)
    source.execute("COMMIT")
    next_id, boot = source.execute("SELECT next_id, boot FROM state").fetchone()
    skip_id(connection, next_id - 1)
    connection.executemany(
        "INSERT OR IGNORE INTO owners VALUES (?, ?)", source.execute("SELECT id, pid FROM owners")
    )
    connection.executemany(
        "INSERT OR IGNORE INTO seen (content_id, until) VALUES (?, ?)",
        source.execute("SELECT content_id, until FROM seen ORDER BY id"),
    )
    is_this_boot = clock.is_this_boot(boot)
    count = changed = 0
    for payload in source.execute(f"SELECT {_PAYLOAD} FROM payloads ORDER BY id"):  # noqa: S608
        if digest(payload[4]) != payload[2]:
            changed += 1
            continue
        count += _take_payload(connection, source, payload, is_this_boot=is_this_boot)
    for row in source.execute("SELECT * FROM rejected ORDER BY id"):
        count += _insert(connection, "rejected", row) is not None
    return count, changed


def _take_payload(
    connection: sqlite3.Connection,
    source: sqlite3.Connection,
    payload: tuple[Any, ...],
    *,
    is_this_boot: bool,
) -> bool:
    """Copy a payload, unless it is there; return whether it was copied."""
    old_id = payload[0]
    row_id = _insert(connection, "payloads", payload)
    if row_id is None:
        return False
    for table in ("waiting", "dead"):
        found = source.execute(f"SELECT * FROM {table} WHERE id = ?", (old_id,)).fetchone()  # noqa: S608
        if found is None:
            continue
        _id, *values = found
        if table == "waiting":
            if row_id != old_id:
                values[0] = NOBODY  # Its owner knows it by the old number.
            if not is_this_boot:
                now = clock.boot_clock()
                values[2:4] = now, now
        connection.execute(
            f"INSERT INTO {table} VALUES ({marks(len(found))})",  # noqa: S608
            (row_id, *values),
        )
    return True


def _insert(connection: sqlite3.Connection, table: str, row: tuple[Any, ...]) -> int | None:
    """Insert a row under its number, or a new one if that is taken; None: the row is there."""
    row_id, received_at, content_id, *values = row
    found = connection.execute(
        f"SELECT received_at, content_id FROM {table} WHERE id = ?",  # noqa: S608
        (row_id,),
    ).fetchone()
    if found == (received_at, content_id):
        return None
    if found is not None:
        (row_id,) = take_ids(connection, 1)
    connection.execute(
        f"INSERT INTO {table} VALUES ({marks(len(row))})",  # noqa: S608
        (row_id, received_at, content_id, *values),
    )
    return int(row_id)
