"""Sets up a connection to a spool: makes or migrates the tables, and checks what is there."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from unisights._runtime.log import log
from unisights._spool import clock
from unisights._spool.files import corrupt
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.tables import FORMAT, SESSION_INDEX, create_tables
from unisights._spool.take_in import take_in
from unisights._sqlite.versions import version_of
from unisights.delivery import Durability
from unisights.errors import StoreError

_CHECKED_BYTES = 32 * 1024 * 1024
"""A file of at most this size, in bytes, is read through when it is opened, to find damage."""

_WAL_LIMIT = 64 * 1024 * 1024
"""The size to which SQLite cuts its write-ahead log (WAL) once that has been emptied, in bytes."""


def set_up(
    connection: sqlite3.Connection,
    path: Path,
    *,
    durability: Durability,
    ordered: bool,
    checks_pages: bool = True,
) -> None:
    """Set up a new connection; the caller holds the lock that all processes of the spool share.

    Args:
        connection: the connection.
        path: the spool.
        durability: whether each commit waits until the disk has it.
        ordered: whether payloads of one session are delivered one after the other.
        checks_pages: whether to look for damage, unless the file is large.

    Raises:
        StoreError: the file is corrupt, of another version, or where WAL mode does not work.
        sqlite3.Error: it cannot be used for another reason.
    """
    execute = connection.execute
    # One process makes the file. Switching to WAL does not wait for others, as it should.
    if not execute("PRAGMA schema_version").fetchone()[0]:
        create_tables(connection)
    if version_of(connection) != FORMAT.version:
        _migrate(connection, path)
    (mode,) = execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"cannot use the spool {path}: no WAL mode there, only {mode}")
    execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
    if durability == "power":
        # On macOS, fsync alone does not reach the disk.
        execute("PRAGMA fullfsync = ON")
    # Some builds overwrite what is deleted, which would double the work.
    execute("PRAGMA secure_delete = OFF")
    execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
    if checks_pages:
        _check_pages(connection, path)
    if ordered:
        execute(SESSION_INDEX)
    take_in(connection, path)
    _note_boot(connection, path)


def other_version(connection: sqlite3.Connection, path: Path) -> StoreError:
    """Return the error of a spool whose tables have another version."""
    return StoreError(f"cannot use the spool {path}: {FORMAT.refusal(connection)}")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate the tables of an earlier version, which no process may be using."""
    if not FORMAT.is_migratable(version_of(connection)):
        raise other_version(connection, path)
    if ProcessLocks(path).any_alive():
        raise StoreError(
            f"cannot use the spool {path}: processes of an earlier version of unisights are still "
            "using it; it is migrated once these have ended"
        )
    with _transaction(connection):
        FORMAT.migrate(connection)
    message = "migrated the spool %s to version %d of its tables"
    log(logging.INFO, "spool_migrated", message, path, FORMAT.version)


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Find damage now rather than when a page is needed, if that does not take long."""
    if path.stat().st_size > _CHECKED_BYTES:
        return
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise corrupt(path, f"corrupt: {found}")


def _note_boot(connection: sqlite3.Connection, path: Path) -> None:
    """After a restart of the machine, all payloads are due, and their ages count anew.

    The time of day does not tell for how long they have been waiting: it may have been wrong when
    they came, or be wrong now. By such an age, payloads would die that nobody has attempted.
    """
    state = connection.execute("SELECT boot FROM state").fetchone()
    if state is None:
        raise corrupt(path, "corrupt: its state is missing")
    if clock.is_this_boot(state[0]):
        return
    with _transaction(connection):
        connection.execute("UPDATE waiting SET due = 0, since = ?", (clock.boot_clock(),))
        connection.execute("UPDATE state SET boot = ?", (clock.boot_id(),))


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some errors have rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
