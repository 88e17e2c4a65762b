"""A handler that stores in a SQLite file."""

import asyncio
import contextlib
import os
import shlex
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from unisights._runtime.sqlite_connection import SQLiteConnection
from unisights.errors import StoreError
from unisights.sinks._batch import Batch
from unisights.sinks._batching_sink import NO_RETRY, BatchingSink
from unisights.sinks._records import encode
from unisights.sinks._urls import read_path
from unisights.sinks._writer import Writer
from unisights.types import UnisightsEvent, UnisightsPayload

STORE_VERSION = 2
"""The version of the tables, kept in the file's `user_version`."""

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

_BUSY_SECONDS = 5.0
"""How long to wait for the transaction of another process."""

_USE_SECONDS = 5.0
"""How long to wait for an earlier batch, whose callers have given up, and for the end."""

_TIMEOUT = 20.0
"""How long a batch may take, in seconds: more than SQLite waits to connect and to begin.

A thread that hangs cannot be stopped. If it goes on, it stores a batch that counts as failed.
"""

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
        # SQLite itself waits for other processes.
        super().__init__(str(Path(path).absolute()), batch, NO_RETRY, _TIMEOUT)
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
        self._connection = SQLiteConnection(path, partial(_connect, path))

    async def open(self) -> None:
        await asyncio.to_thread(self._open)

    async def write(self, items: Sequence[Rows]) -> None:
        await asyncio.to_thread(self._store, items)

    async def close(self) -> None:
        if self._connection.is_open:
            # What hangs is left to the end of the process.
            with contextlib.suppress(TimeoutError):
                await asyncio.to_thread(self._connection.close, _USE_SECONDS)

    def is_transient(self, error: Exception) -> bool:
        # A full disk, a lock, or a disk that hangs: smaller batches would fail, too.
        return isinstance(error, StoreError | TimeoutError) or type(error) in {
            sqlite3.OperationalError,
            sqlite3.DatabaseError,
        }

    def describe(self, error: Exception) -> str:
        described = super().describe(error)
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            described += f"; waited {_BUSY_SECONDS:g} s for the transaction of another process"
        return described

    def _open(self) -> None:
        with self._connection.use(_USE_SECONDS):
            self._connection.open()

    def _store(self, items: Sequence[Rows]) -> None:
        with self._connection.transaction(_USE_SECONDS) as connection:
            rows: list[tuple[Any, ...]] = []
            for row, events in items:
                stored = connection.execute(_INSERT_PAYLOAD, row)
                if stored.rowcount:
                    rows += [(stored.lastrowid, *event) for event in events]
            connection.executemany(_INSERT_EVENT, rows)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise StoreError(f"cannot open it: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            _make_tables(connection)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"cannot use it: {error}") from error
    except StoreError:  # from `_make_tables`
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == STORE_VERSION:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if 0 < found < STORE_VERSION:
        raise StoreError(
            f"an earlier version of unisights made it (tables of version {found}, not "
            f"{STORE_VERSION}); move it away, or name another file"
        )
    if found or tables:
        raise StoreError("it is a SQLite file of something else, or of another version")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {STORE_VERSION}")


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
