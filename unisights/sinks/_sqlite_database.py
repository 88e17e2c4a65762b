"""The open file of SQLiteSink: making it, migrating it, storing in it, and leaving a lost one."""

import logging
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unisights._runtime.log import log
from unisights._sqlite.mounts import refuse_file_mount
from unisights._sqlite.open_database import OpenDatabase, remove_leftovers
from unisights._sqlite.versions import version_of
from unisights.errors import StoreError
from unisights.sinks._sqlite_tables import FORMAT, INSERT_EVENT, INSERT_PAYLOAD, Rows

_NAMELESS = 3
"""Files of versions before this one have no `application_id`."""

_BUSY_SECONDS = 5.0
"""How long to wait for the transaction of another process."""


class Database:
    """An open file, and the connection to it.

    Args:
        path: the file; it is made if it does not exist.

    Attributes:
        files: the files that the connection has open.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        refuse_file_mount(path)
        try:
            remove_leftovers(path)
            self._connection = _connect(path)
            try:
                self.files = OpenDatabase(path)
            except OSError:
                self._connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot open it: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self.files.close()
        self._connection.close()

    def store(self, items: Sequence[Rows]) -> None:
        """Store a batch in one transaction."""
        connection = self._connection
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if version_of(connection) != FORMAT.version:
                raise StoreError(f"cannot use it: {FORMAT.refusal(connection)}")
            rows: list[tuple[Any, ...]] = []
            for row, events in items:
                stored = connection.execute(INSERT_PAYLOAD, row)
                if stored.rowcount:
                    rows += [(stored.lastrowid, *event) for event in events]
            connection.executemany(INSERT_EVENT, rows)

    def leave(self) -> list[Rows]:
        """Close lost files; return what has to be stored again, as only the lost WAL holds it."""
        files = self.files
        rows: list[Rows] = []
        try:
            if files.is_database_current and files.has_successor:
                # Others have begun a WAL of their own: it must not be mixed with this one. If this
                # one is empty, another process has seen to it, and nothing can be read here.
                if files.wal_bytes:
                    rows = self._newest(files.wal_bytes)
                    files.drop_wal()
            else:
                if files.is_database_current or not files.is_removed:
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                # The names must not become those of the WAL of another database.
                files.remove_names()
        except (sqlite3.Error, OSError) as error:
            message = "what was stored last may be lost with the removed file: %s"
            log(logging.ERROR, "sink_file_lost", message, error)
        finally:
            self.close()
        return rows

    def _newest(self, size: int) -> list[Rows]:
        """Return the payloads that were stored last, so many bytes of them at least."""
        rows: list[Rows] = []
        for row_id, *columns in self._connection.execute("SELECT * FROM payloads ORDER BY id DESC"):
            if size <= 0:
                break
            size -= len(columns[-1])
            events = self._connection.execute(
                "SELECT * FROM events WHERE payload_id = ? ORDER BY position", (row_id,)
            )
            rows.append((tuple(columns), [event[2:] for event in events]))
        return rows[::-1]


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file. Several processes may do it at once, when none of them has made it yet."""
    deadline = time.monotonic() + 2 * _BUSY_SECONDS
    while True:
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up(connection)
        except BaseException as error:
            connection.close()
            # To switch to WAL mode, SQLite does not wait for all others.
            is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return connection


def _set_up(connection: sqlite3.Connection) -> None:
    # Before the switch to WAL mode: a file of something else stays as it is.
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        _make_tables(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    # Opens the WAL, if the mode was WAL before.
    version_of(connection)


def _make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables in a new file, or migrate those of an earlier version."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    found = version_of(connection)
    if not application_id and not found and not tables:
        FORMAT.create(connection)
    elif application_id == FORMAT.application_id or (not application_id and 0 < found < _NAMELESS):
        if found > FORMAT.version:
            raise StoreError(f"cannot use it: {FORMAT.refusal(connection)}")
        FORMAT.migrate(connection)
    else:
        raise StoreError("it is a SQLite file of something else")
