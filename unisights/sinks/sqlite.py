"""A handler that stores in a SQLite file."""

import asyncio
import logging
import os
import shlex
import sqlite3
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from unisights._runtime.fork import reset_in_children
from unisights._runtime.log import log
from unisights._sqlite.mounts import refuse_file_mount
from unisights._sqlite.open_database import Inode, OpenDatabase, remove_leftovers
from unisights._sqlite.versions import Format, version_of
from unisights.errors import StoreError
from unisights.sinks._batch import Batch
from unisights.sinks._batching_sink import NO_RETRY, UNLIMITED, BatchingSink
from unisights.sinks._records import encode
from unisights.sinks._urls import read_path
from unisights.sinks._writer import Writer
from unisights.types import UnisightsEvent, UnisightsPayload

_TABLES = """
CREATE TABLE payloads (
    id           INTEGER PRIMARY KEY,
    content_id   TEXT NOT NULL,     -- hash of the body: a payload that comes again has the same
    received_at  INTEGER NOT NULL,  -- server time, ms since the Unix epoch
    clock_skew   INTEGER,           -- the visitor's clock minus the server's, ms
    client_time  INTEGER,           -- the newest event's timestamp, ms since the Unix epoch
    asset_id     TEXT,
    session_id   TEXT,
    page_url     TEXT,
    entry_page   TEXT,
    exit_page    TEXT,
    scroll_depth REAL,              -- per cent, at most 100
    time_on_page REAL,              -- seconds
    utm_params   TEXT NOT NULL,     -- JSON
    device_info  TEXT NOT NULL,     -- JSON
    event_count  INTEGER NOT NULL,
    encrypted    INTEGER NOT NULL,  -- 0 or 1: how it came
    raw          BLOB NOT NULL,     -- the request's body as received
    UNIQUE (content_id, received_at)
);
CREATE INDEX payloads_session ON payloads (session_id);
CREATE INDEX payloads_received ON payloads (received_at);
CREATE TABLE events (
    id          INTEGER PRIMARY KEY,
    payload_id  INTEGER NOT NULL REFERENCES payloads (id),
    position    INTEGER NOT NULL,   -- in the payload, from 0
    type        TEXT NOT NULL,      -- page_view, click, web_vital, custom, error
    name        TEXT,               -- of web vitals and custom events
    client_time INTEGER,            -- the event's timestamp, ms since the Unix epoch
    received_at INTEGER NOT NULL,   -- server time, ms since the Unix epoch
    asset_id    TEXT,
    session_id  TEXT,
    page_url    TEXT,
    data        TEXT NOT NULL       -- JSON
);
CREATE INDEX events_payload ON events (payload_id);
CREATE INDEX events_type ON events (type, client_time);
CREATE INDEX events_session ON events (session_id);
"""

FORMAT = Format(application_id=0x75736C65, version=3, needs="2.0.0", tables=_TABLES, migrations={})
"""What the file is, in its present version. Whoever changes the tables adds a migration."""

_BUSY_SECONDS = 5.0
"""How long to wait for the transaction of another process."""

_ATTEMPTS = 3
"""How often a batch is stored if the files are removed again and again."""

_INSERT_PAYLOAD = (
    "INSERT INTO payloads VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (content_id, received_at) DO NOTHING"
)
_INSERT_EVENT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Rows = tuple[tuple[Any, ...], list[tuple[Any, ...]]]
"""The row of a payload, and the rows of its events without the number of that row."""


class SQLiteSink(BatchingSink[Rows]):
    """Stores payloads in a SQLite file: a row in `payloads` for each, one in `events` per event.

    A batch is one transaction. A payload that is delivered twice, from the spool for example, is
    stored once, as its body and its `received_at` are the same. A body that was received twice is
    stored as two rows with the same `content_id`.

    The file is in WAL mode, so it can be queried while events come in. Several processes on one
    machine may share a file, and so may several sinks in one process.

    Args:
        path: the file; it is made if it does not exist.
        batch: the bounds of a batch.
    """

    def __init__(self, path: str | os.PathLike[str], *, batch: Batch | None = None) -> None:
        # SQLite itself waits for other processes, and a thread that hangs cannot be stopped.
        super().__init__(str(Path(path).absolute()), batch, NO_RETRY, UNLIMITED)
        self._path = Path(path)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the sink of `sqlite:///FILE` or `sqlite:FILE`; a fourth slash begins at the root.

        Raises:
            ConfigurationError: the URL does not have this form.
        """
        return cls(read_path(url, "sqlite"))

    @property
    def inspect_command(self) -> str:
        """A shell command that shows how many events of each type were stored."""
        query = "SELECT type, count(*) FROM events GROUP BY type"
        return f"sqlite3 {shlex.quote(str(self._path))} {shlex.quote(query)}"

    def _prepare(self, payload: UnisightsPayload) -> tuple[Rows, int]:
        data = payload.data
        events = [
            _event_row(payload, position, event) for position, event in enumerate(data.events)
        ]
        times = [row[3] for row in events if isinstance(row[3], int)]
        row = (
            payload.content_id,
            payload.received_at,
            payload.clock_skew,
            max(times, default=None),
            *_columns(data.asset_id, data.session_id, data.page_url),
            *_columns(data.entry_page, data.exit_page, data.scroll_depth, data.time_on_page),
            encode(data.utm_params.to_dict()).decode(),
            encode(data.device_info.to_dict()).decode(),
            len(events),
            payload.encrypted,
            payload.raw,
        )
        return (row, events), len(payload.raw) + sum(len(event[-1]) for event in events)

    def _make_writer(self) -> "_FileWriter":
        return _FileWriter(self._path)


class _FileWriter(Writer[Rows]):
    """Writes in a thread, because disks block."""

    splits = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: _Database | None = None
        self._left: list[Rows] = []  # by lost files
        self._lock = threading.Lock()
        reset_in_children(self)
        _writers.add(self)

    def reset_after_fork(self) -> None:
        """A thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    async def open(self) -> None:
        await asyncio.to_thread(self._open)

    async def write(self, items: Sequence[Rows]) -> None:
        await asyncio.to_thread(self._store, items)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def is_transient(self, error: Exception) -> bool:
        # A full disk or a lock: smaller batches would fail, too.
        return isinstance(error, StoreError) or type(error) in {
            sqlite3.OperationalError,
            sqlite3.DatabaseError,
        }

    def _open(self) -> None:
        with self._lock:
            self._opened()

    def _opened(self) -> "_Database":
        if self._database is None:
            self._database = _Database(self._path)
        return self._database

    def _close(self) -> None:
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                database.close()

    def _store(self, items: Sequence[Rows]) -> None:
        for _ in range(_ATTEMPTS):
            with self._lock:
                database = self._opened()
                if database.files.is_current:
                    database.store([*self._left, *items])
                    self._left = []
                # What was committed to removed files is confirmed by nobody.
                if database.files.is_current:
                    return
            _leave_lost_files(database.files.inode)
        raise StoreError(
            "files of it were removed, and something in this process still has the old ones open"
        )

    def leave_lost_files(self, inode: Inode | None) -> None:
        """Close the database if it is this one, and its files were removed or replaced."""
        with self._lock:
            database = self._database
            if database is None or database.files.inode != inode or database.files.is_current:
                return
            self._database = None
            message = "the files of %s were removed or replaced: using new ones"
            log(logging.WARNING, "sink_file_replaced", message, self._path)
            self._left += database.leave()


_writers: "weakref.WeakSet[_FileWriter]" = weakref.WeakSet()

_leaving = threading.Lock()


def _leave_lost_files(inode: Inode | None) -> None:
    """Close all connections of this process to a database.

    SQLite has one index of the WAL for all of them: as long as one uses the lost files, a new one
    would do so, too.
    """
    with _leaving:
        for writer in list(_writers):
            writer.leave_lost_files(inode)


class _Database:
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
                stored = connection.execute(_INSERT_PAYLOAD, row)
                if stored.rowcount:
                    rows += [(stored.lastrowid, *event) for event in events]
            connection.executemany(_INSERT_EVENT, rows)

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
    elif application_id == FORMAT.application_id or (not application_id and 0 < found < 3):
        if found > FORMAT.version:
            raise StoreError(f"cannot use it: {FORMAT.refusal(connection)}")
        FORMAT.migrate(connection)
    else:
        raise StoreError("it is a SQLite file of something else")


def _event_row(payload: UnisightsPayload, position: int, event: UnisightsEvent) -> tuple[Any, ...]:
    data = payload.data
    return (
        position,
        event.type,
        *_columns(getattr(event.data, "name", None), event.data.timestamp),
        payload.received_at,
        *_columns(data.asset_id, data.session_id, data.page_url),
        encode(event.data.to_dict()).decode(),
    )


def _columns(*values: Any) -> list[Any]:
    """Values that SQLite takes; one of another type, in an unchecked payload, becomes JSON."""
    return [
        value
        if value is None
        or isinstance(value, str | float)
        or (isinstance(value, int) and -(2**63) <= value < 2**63)
        else encode(value).decode()
        for value in values
    ]
