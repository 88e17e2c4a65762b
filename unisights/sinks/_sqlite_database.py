"""The open file of SQLiteSink: making it, migrating it, storing in it, and leaving a lost one."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unisights._runtime.log import log
from unisights._sqlite.connection import (
    TRY_SECONDS,
    SQLiteConnection,
    connect,
    uses_lost_index,
)
from unisights._sqlite.open_database import Inode, OpenDatabase, inode_of, remove_leftovers
from unisights._sqlite.versions import version_of
from unisights.errors import StoreError
from unisights.sinks._sqlite_lock import DatabaseLock
from unisights.sinks._sqlite_tables import FORMAT, INSERT_EVENT, INSERT_PAYLOAD, Rows

_NAMELESS = 3
"""Files of versions before this one have no `application_id`."""

BUSY_SECONDS = 5.0
"""How long to wait for the transaction of another process."""


class Database:
    """The file, opened when it is needed and closed before each fork.

    Args:
        path: the file; it is made if it does not exist.

    Attributes:
        path: the same.
        left: the payloads of lost files that may not be stored in the new ones yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left: list[Rows] = []
        self._lock = DatabaseLock(path)
        self._connection = SQLiteConnection(
            path,
            self._connect,
            busy_seconds=BUSY_SECONDS,
            leave=self._leave,
        )

    @contextlib.contextmanager
    def use(self, seconds: float | None = None) -> Iterator[None]:
        """Keep other threads, other processes and forks from the file.

        Args:
            seconds: how long to wait for another thread; None: without limit.

        Raises:
            TimeoutError: another thread still uses it.
            StoreError: another process does, for longer than `BUSY_SECONDS`.
        """
        with self._connection.use(seconds), self._lock.held(self._connection, BUSY_SECONDS):
            yield

    def open(self) -> None:
        """Open the file, unless it is open; to be called inside `use`.

        Raises:
            StoreError: it cannot be used.
            sqlite3.Error: another process keeps a transaction, or this one must not open it.
        """
        try:
            self._connection.open()
        except OSError as error:
            raise StoreError(f"cannot open it: {error}") from error

    def close(self) -> None:
        """Close the file, unless it is closed, and save what lost files hold; inside `use`."""
        if not self._connection.leave_lost_files():
            self._connection.close()

    def close_lock(self) -> None:
        """Close the lock's file, outside of `use`; it is opened again when it is needed."""
        self._lock.close()

    def abandon(self, seconds: float) -> None:
        """Close the file without saving anything, outside of `use`: the lock cannot be had.

        Raises:
            TimeoutError: another thread uses it for longer than so many seconds.
        """
        self._connection.close(seconds)

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._connection.is_open

    @property
    def is_current(self) -> bool:
        """Whether the file is open, and still the one that has the name."""
        return self._connection.is_current

    @property
    def inodes(self) -> set[Inode | None]:
        """The identities of the open file, and of the file that has the name."""
        files = self._connection.files
        return {inode_of(self.path), None if files is None else files.inode} - {None}

    @property
    def must_leave(self) -> bool:
        """Whether a connection of this process has lost files of this database open.

        SQLite has one index of the WAL for all of them: as long as one uses the lost files, a new
        one would do so, too.
        """
        return (self.is_open and not self.is_current) or uses_lost_index(self.path)

    def store(self, items: Sequence[Rows]) -> None:
        """Store a batch in one transaction, with what lost files have left."""
        with self._connection.transaction() as connection:
            raw = connection.raw
            if version_of(raw) != FORMAT.version:
                raise StoreError(f"cannot use it: {FORMAT.refusal(raw)}")
            rows: list[tuple[Any, ...]] = []
            for row, events in [*self.left, *items]:
                stored = connection.execute(INSERT_PAYLOAD, row)
                if stored.rowcount:
                    rows += [(stored.lastrowid, *event) for event in events]
            connection.executemany(INSERT_EVENT, rows)

    def leave_lost_files(self, owner: "Database", seconds: float) -> None:
        """Close the file if it is the owner's, and it was removed or replaced.

        Args:
            owner: the database whose lock the caller holds; it gets what has to be stored again.
            seconds: how long to wait for another thread.

        Raises:
            TimeoutError: another thread still uses it.
        """
        if self is owner:
            self._connection.leave_lost_files()
            return
        with self._connection.use(seconds):
            files = self._connection.files
            if files is not None and files.inode in owner.inodes:
                with self._lock.lent():
                    self._connection.leave_lost_files()
            if self.path == owner.path:
                owner.left += self.left
                self.left = []

    def _leave(self, connection: sqlite3.Connection, files: OpenDatabase) -> None:
        """Save what lost files hold. Only a fork does this without the lock."""
        if self._lock.is_held:
            self._save(connection, files)
        else:
            with self._lock.held(None, BUSY_SECONDS):
                self._save(connection, files)

    def _save(self, connection: sqlite3.Connection, files: OpenDatabase) -> None:
        """Prepare for closing lost files: note what only the lost WAL holds."""
        message = "the files of %s were removed or replaced: using new ones"
        log(logging.WARNING, "sink_file_replaced", message, self.path)
        if files.is_complete:
            return  # A symbolic link leads elsewhere by now.
        try:
            if files.is_database_current and files.has_successor:
                # Others have begun a WAL of their own: it must not be mixed with this one. If this
                # one is empty, another process has seen to it, and nothing can be read here.
                if files.wal_bytes:
                    self.left += _newest(connection, files.wal_bytes)
                    files.drop_wal()
            else:
                if files.is_database_current or not files.is_removed:
                    query = "PRAGMA wal_checkpoint(TRUNCATE)"
                    (is_busy, *_) = connection.execute(query).fetchone()
                    if is_busy:
                        raise StoreError("cannot use it: something keeps reading its old files")
                # The names must not become those of the WAL of another database.
                files.remove_names()
        except (sqlite3.Error, OSError) as error:
            message = "what was stored last may be lost with the removed file: %s"
            log(logging.ERROR, "sink_file_lost", message, error)

    def _connect(self) -> sqlite3.Connection:
        """Open the file. Several processes may do it at once, when none has made it yet."""
        remove_leftovers(self.path)
        return _connect(self.path.resolve())


def _newest(connection: sqlite3.Connection, size: int) -> list[Rows]:
    """Return the latest payloads, so many bytes of them at least."""
    rows: list[Rows] = []
    for row_id, *columns in connection.execute("SELECT * FROM payloads ORDER BY id DESC"):
        if size <= 0:
            break
        size -= len(columns[-1])
        events = connection.execute(
            "SELECT * FROM events WHERE payload_id = ? ORDER BY position", (row_id,)
        )
        rows.append((tuple(columns), [event[2:] for event in events]))
    return rows[::-1]


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = connect(path, TRY_SECONDS, creates=True)
    except sqlite3.Error as error:
        raise StoreError(f"cannot open it: {error}") from error
    try:
        # Before the switch to WAL mode: a file of something else stays as it is.
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            _make_tables(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Opens the WAL, if the mode was WAL before.
        version_of(connection)
    except BaseException as error:
        connection.close()
        is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        if is_busy or not isinstance(error, sqlite3.Error):
            raise
        raise StoreError(f"cannot use it: {error}") from error
    return connection


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
