"""A handler that stores into a SQLite file."""

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import msgspec

from unisights.errors import StoreError
from unisights.types import Event, UnisightsPayload

STORE_VERSION = 1
"""The version of the tables, kept in the file's `user_version`."""

_TABLES = """
CREATE TABLE payloads (
    id           INTEGER PRIMARY KEY,
    received_at  INTEGER NOT NULL,  -- server time, ms since the Unix epoch
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
    raw          BLOB NOT NULL      -- the request's body as received
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

_INSERT_PAYLOAD = "INSERT INTO payloads VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_EVENT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_encode = msgspec.json.Encoder().encode


class SQLiteSink:
    """Stores each payload in a transaction of its own: one row in `payloads`, one per event.

    The file is in WAL mode, so it can be queried while events come in. The sink may be called
    from several threads, and several processes may share one file.

    Args:
        path: the file; it is made if it does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner = 0

    def open(self) -> None:
        """Open the file now rather than at the first payload.

        Raises:
            StoreError: the file cannot be opened, or is not such a store.
        """
        with self._lock:
            self._opened()

    def close(self) -> None:
        """Close the file; a later payload opens it again."""
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None

    def __call__(self, payload: UnisightsPayload, _request: Any) -> None:
        """Store a payload.

        Raises:
            sqlite3.Error: it could not be stored; nothing of it was.
        """
        data = payload.data
        rows = [_event_row(payload, position, event) for position, event in enumerate(data.events)]
        times = [row[3] for row in rows if isinstance(row[3], int)]
        payload_row = (
            payload.received_at,
            max(times, default=None),
            *_columns(data.asset_id, data.session_id, data.page_url),
            *_columns(data.entry_page, data.exit_page, data.scroll_depth, data.time_on_page),
            _encode(data.utm_params.to_dict()).decode(),
            _encode(data.device_info.to_dict()).decode(),
            len(data.events),
            payload.encrypted,
            payload.raw,
        )
        with self._lock:
            connection = self._opened()
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                payload_id = connection.execute(_INSERT_PAYLOAD, payload_row).lastrowid
                connection.executemany(_INSERT_EVENT, [(payload_id, *row) for row in rows])

    def _opened(self) -> sqlite3.Connection:
        # A connection must not cross a fork.
        if self._connection is None or self._owner != os.getpid():
            self._connection = _connect(self._path)
            self._owner = os.getpid()
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, timeout=5.0, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {path}: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            _make_tables(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"cannot use {path}: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == STORE_VERSION:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found or tables:
        raise StoreError(
            f"cannot use {path}: it is a SQLite file of something else, or of another version"
        )
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {STORE_VERSION}")


def _event_row(payload: UnisightsPayload, position: int, event: Event) -> tuple[Any, ...]:
    data = payload.data
    return (
        position,
        event.type,
        *_columns(getattr(event.data, "name", None), event.data.timestamp),
        payload.received_at,
        *_columns(data.asset_id, data.session_id, data.page_url),
        _encode(event.data.to_dict()).decode(),
    )


def _columns(*values: Any) -> list[Any]:
    """Values as SQLite takes them; only unchecked payloads hold others than these types."""
    return [
        value
        if value is None
        or isinstance(value, str | float)
        or (isinstance(value, int) and -(2**63) <= value < 2**63)
        else _encode(value).decode()
        for value in values
    ]
