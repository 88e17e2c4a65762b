"""Rescues what a process can still read of a spool whose files were removed or replaced.

An open connection goes on reading files that have no name any more, but nobody else will ever see
what it stores in them. So the process opens new ones, and copies what the old ones hold. All of
this happens under the lock for transactions, so that one process after the other does it.
"""

import contextlib
import glob
import logging
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from unisights._runtime.log import log
from unisights._schema.content_id import digest
from unisights._spool import clock
from unisights._spool.files import make_private, primary_code
from unisights._spool.ids import skip_id, take_ids
from unisights._spool.statements import marks
from unisights._spool.tables import FORMAT, NOBODY
from unisights._sqlite.connection import connect
from unisights._sqlite.open_database import OpenDatabase
from unisights._sqlite.versions import version_of
from unisights.errors import StoreError

_LEFT = 2**31 - 1
"""The version that a process notes in a removed spool whose content it has taken along."""

_PAYLOAD = "id, received_at, content_id, request, raw, quarantined"


def leave(connection: sqlite3.Connection, files: OpenDatabase, path: Path) -> int:
    """Prepare for closing a connection whose files were removed or replaced.

    What the files at `path` lack is written to a file beside them, for `take_in`.

    Returns:
        The number that the next payload would have had; 0 if the database stays the same.

    Raises:
        StoreError: something else is using the files, or there is no room.
        sqlite3.Error, OSError: likewise.
    """
    try:
        # From now on, nothing is written to the database unless it is asked for.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        if files.is_database_current:
            _leave_wal(connection, files, path)
            return 0
        return _leave_database(connection, files, path)
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        log(logging.ERROR, "spool_lost", "cannot read what was in the spool %s: %s", path, error)
        return 0


def _leave_wal(connection: sqlite3.Connection, files: OpenDatabase, path: Path) -> None:
    """Leave a WAL or an index that was removed; the database is still there."""
    if files.has_successor:
        # If the WAL is empty, another process has emptied it below. Then nothing can be read here.
        if files.wal_bytes:
            _copy(connection, path)
            files.drop_wal()
        return
    if files.wal_bytes:
        _write_out(connection, path)
    files.remove_names()


def _leave_database(connection: sqlite3.Connection, files: OpenDatabase, path: Path) -> int:
    """Leave a database that was removed, replaced or moved; return its next number."""
    (next_id,) = connection.execute("SELECT next_id FROM state").fetchone()
    if not files.is_removed:
        # It was moved, and its content stays where it is now.
        _write_out(connection, path)
    elif version_of(connection) != _LEFT:
        # SQLite must not take them for the WAL of the next database.
        files.remove_names()
        _copy(connection, path)
        connection.execute(f"PRAGMA user_version = {_LEFT}")
    files.remove_names()
    return int(next_id)


def _write_out(connection: sqlite3.Connection, path: Path) -> None:
    """Write the WAL to the database."""
    (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise StoreError(f"cannot use the spool {path}: something keeps reading its old files")


def _copy(connection: sqlite3.Connection, path: Path) -> None:
    target = path.with_name(f"{path.name}-rescue-{secrets.token_hex(8)}")
    unfinished = Path(f"{target}.part")
    make_private(unfinished)
    try:
        with contextlib.closing(connect(unfinished)) as copy:
            connection.backup(copy)
            # Without this, it would have a WAL of its own.
            copy.execute("PRAGMA journal_mode = DELETE")
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def take_in(connection: sqlite3.Connection, path: Path) -> None:
    """Store what processes have rescued of the spool's former files; the caller holds its lock."""
    for rescued in path.parent.glob(f"{glob.escape(path.name)}-rescue-{'?' * 16}"):
        try:
            with contextlib.closing(connect(rescued)) as source:
                connection.execute("BEGIN IMMEDIATE")
                count = _take_rows(connection, source)
                connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if primary_code(error) not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                raise
            kept = path.with_name(f"{path.name}-corrupt-{clock.wall_clock()}")
            rescued.rename(kept)
            message = "cannot read what was in the spool: it was kept as %s: %s"
            log(logging.ERROR, "spool_lost", message, kept, error)
        else:
            rescued.unlink()
            message = "the files of the spool %s were removed: %d payloads and rejections were kept"
            log(logging.WARNING, "spool_rescued", message, path, count)


def _take_rows(connection: sqlite3.Connection, source: sqlite3.Connection) -> int:
    """Copy all rows that are not there; return the number of payloads and rejections."""
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
    count = 0
    for payload in source.execute(f"SELECT {_PAYLOAD} FROM payloads ORDER BY id"):  # noqa: S608
        count += _take_payload(connection, source, payload, is_this_boot=is_this_boot)
    for row in source.execute("SELECT * FROM rejected ORDER BY id"):
        count += _insert(connection, "rejected", row) is not None
    return count


def _take_payload(
    connection: sqlite3.Connection,
    source: sqlite3.Connection,
    payload: tuple[Any, ...],
    *,
    is_this_boot: bool,
) -> bool:
    """Copy a payload, unless it is there or its body has changed; return whether it was copied."""
    old_id, _received_at, content_id, _request, raw, _quarantined = payload
    if digest(raw) != content_id:
        return False
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
