"""Rescues what a process can still read of a spool whose files were removed or replaced.

An open connection goes on reading files that have no name any more, but nobody else will ever see
what it stores in them. So the process opens new ones, and copies what the old ones hold. All of
this happens under the lock for transactions, so that one process after the other does it.
"""

import contextlib
import logging
import os
import secrets
import sqlite3
from pathlib import Path

from unisights._runtime.log import log
from unisights._spool.files import open_beside, primary_code
from unisights._sqlite.connection import connect
from unisights._sqlite.open_database import OpenDatabase
from unisights._sqlite.versions import version_of
from unisights.errors import StoreError

_LEFT = 2**31 - 1
"""The version that a process notes in a removed spool whose content it has taken along."""


def rescue_path(path: Path) -> Path:
    """Return a new name, beside a spool, for what is saved of its files."""
    return path.with_name(f"{path.name}-rescue-{secrets.token_hex(8)}")


def leave(connection: sqlite3.Connection, files: OpenDatabase, path: Path, rescued: Path) -> int:
    """Prepare for closing a connection whose files were removed or replaced.

    What the files at `path` lack is written to a file beside them, for `take_in`.

    Args:
        connection: the connection.
        files: the files that it has open.
        path: the spool.
        rescued: that file, by a `rescue_path`. If this function has raised, it is to be called
            again with the same one: another would hold the same payloads, and fill the disk.

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
            _leave_wal(connection, files, path, rescued)
            return 0
        return _leave_database(connection, files, path, rescued)
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        log(logging.ERROR, "spool_lost", "cannot read what was in the spool %s: %s", path, error)
        return 0


def _leave_wal(
    connection: sqlite3.Connection, files: OpenDatabase, path: Path, rescued: Path
) -> None:
    """Leave a WAL or an index that was removed; the database is still there."""
    if files.has_successor:
        # If the WAL is empty, another process has emptied it below. Then nothing can be read here.
        if files.wal_bytes:
            _copy(connection, path, rescued)
            files.drop_wal()
        return
    if files.wal_bytes:
        _write_out(connection, path)
    files.remove_names()


def _leave_database(
    connection: sqlite3.Connection, files: OpenDatabase, path: Path, rescued: Path
) -> int:
    """Leave a database that was removed, replaced or moved; return its next number."""
    (next_id,) = connection.execute("SELECT next_id FROM state").fetchone()
    if not files.is_removed:
        # It was moved, or has another name too, and its content stays where it is now.
        _write_out(connection, path)
        (waiting,) = connection.execute("SELECT waiting FROM state").fetchone()
        message = (
            "the file of the spool %s was moved, or its name was removed and it has another one: "
            "%d waiting payloads stay in that file: open it as a spool to deliver them"
        )
        log(logging.WARNING, "spool_moved", message, path, waiting)
    elif version_of(connection) != _LEFT:
        # SQLite must not take them for the WAL of the next database.
        files.remove_names()
        _copy(connection, path, rescued)
        connection.execute(f"PRAGMA user_version = {_LEFT}")
    files.remove_names()
    return int(next_id)


def _write_out(connection: sqlite3.Connection, path: Path) -> None:
    """Write the WAL to the database."""
    (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise StoreError(f"cannot use the spool {path}: something keeps reading its old files")


def _copy(connection: sqlite3.Connection, path: Path, rescued: Path) -> None:
    unfinished = Path(f"{rescued}.part")
    os.close(open_beside(path, unfinished))
    try:
        with contextlib.closing(connect(unfinished)) as copy:
            connection.backup(copy)
            # Without this, it would have a WAL of its own.
            copy.execute("PRAGMA journal_mode = DELETE")
        unfinished.replace(rescued)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
