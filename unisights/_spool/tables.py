"""The tables of a spool, and their version.

A payload's body is written once and never moved. Its owner, attempts and due time change, so they
are in a narrow table beside it: claiming, taking over, rescheduling and dead-lettering cost little.
Triggers keep the totals in `state` for every row that comes or goes.
"""

import sqlite3
from collections.abc import Iterator

from unisights._runtime.sqlite_connection import SQLiteConnection
from unisights._spool import clock

APPLICATION_ID = 0x75736C71
"""The `application_id` in the file's header, which tells a spool from other SQLite files."""

SPOOL_VERSION = 3
"""The version of the tables, kept in the file's `user_version`."""

NOBODY = 0
"""The owner of rows that any process may claim."""

_TABLES = """
CREATE TABLE state (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    boot           TEXT NOT NULL,    -- the machine's start, from which `since` and `due` count
    next_id        INTEGER NOT NULL,
    waiting        INTEGER NOT NULL DEFAULT 0,
    waiting_bytes  INTEGER NOT NULL DEFAULT 0,
    dead           INTEGER NOT NULL DEFAULT 0,
    dead_bytes     INTEGER NOT NULL DEFAULT 0,
    rejected       INTEGER NOT NULL DEFAULT 0,
    rejected_bytes INTEGER NOT NULL DEFAULT 0,
    stored         INTEGER NOT NULL DEFAULT 0, -- payloads, since the file was made
    commits        INTEGER NOT NULL DEFAULT 0  -- transactions that stored payloads, likewise
);
CREATE TABLE owners (
    id  INTEGER PRIMARY KEY,                   -- random
    pid INTEGER NOT NULL
);
CREATE TABLE payloads (
    id          INTEGER PRIMARY KEY,           -- in the order of their commits
    received_at INTEGER NOT NULL,              -- ms since the Unix epoch
    content_id  TEXT NOT NULL,
    request     TEXT NOT NULL,                 -- RequestInfo, JSON
    raw         BLOB NOT NULL,                 -- the request's body as received
    quarantined TEXT                           -- the indexes of quarantined events, JSON
);
CREATE TABLE waiting (
    id         INTEGER PRIMARY KEY,
    owner      INTEGER NOT NULL,               -- 0: nobody
    attempts   INTEGER NOT NULL,               -- that have failed
    since      REAL NOT NULL,                  -- seconds since the machine was started
    due        REAL NOT NULL,                  -- likewise
    size       INTEGER NOT NULL,               -- bytes of body, request and quarantined
    session_id TEXT,
    error      TEXT                            -- of the last attempt
);
CREATE INDEX waiting_unowned ON waiting (due) WHERE owner = 0;
CREATE TABLE dead (
    id         INTEGER PRIMARY KEY,
    attempts   INTEGER NOT NULL,
    died_at    INTEGER NOT NULL,               -- ms since the Unix epoch
    size       INTEGER NOT NULL,
    session_id TEXT,
    error      TEXT                            -- why it became a dead letter
);
CREATE TABLE rejected (
    id             INTEGER PRIMARY KEY,        -- no payload has, or ever had, the same
    received_at    INTEGER NOT NULL,           -- ms since the Unix epoch
    content_id     TEXT NOT NULL,
    request        TEXT NOT NULL,              -- RequestInfo, JSON
    raw            BLOB NOT NULL,              -- the request's body as received
    reason         TEXT NOT NULL,
    status         INTEGER,                    -- NULL: not refused, some events were quarantined
    schema_version TEXT NOT NULL,
    problems       TEXT NOT NULL,              -- JSON
    quarantined    TEXT NOT NULL,              -- the events' indexes, JSON; empty: the whole body
    size           INTEGER NOT NULL            -- bytes of body, request and the JSON
);
CREATE TABLE seen (
    id         INTEGER PRIMARY KEY,            -- in the order in which they were accepted
    content_id TEXT NOT NULL UNIQUE,
    until      REAL NOT NULL                   -- seconds since the machine was started
);
CREATE TRIGGER waiting_came AFTER INSERT ON waiting BEGIN
    UPDATE state SET waiting = waiting + 1, waiting_bytes = waiting_bytes + new.size;
END;
CREATE TRIGGER waiting_gone AFTER DELETE ON waiting BEGIN
    UPDATE state SET waiting = waiting - 1, waiting_bytes = waiting_bytes - old.size;
END;
CREATE TRIGGER dead_came AFTER INSERT ON dead BEGIN
    UPDATE state SET dead = dead + 1, dead_bytes = dead_bytes + new.size;
END;
CREATE TRIGGER dead_gone AFTER DELETE ON dead BEGIN
    UPDATE state SET dead = dead - 1, dead_bytes = dead_bytes - old.size;
END;
CREATE TRIGGER payload_gone AFTER DELETE ON payloads BEGIN
    DELETE FROM waiting WHERE id = old.id;
    DELETE FROM dead WHERE id = old.id;
END;
CREATE TRIGGER rejected_came AFTER INSERT ON rejected BEGIN
    UPDATE state SET rejected = rejected + 1, rejected_bytes = rejected_bytes + new.size;
END;
CREATE TRIGGER rejected_gone AFTER DELETE ON rejected BEGIN
    UPDATE state SET rejected = rejected - 1, rejected_bytes = rejected_bytes - old.size;
END;
"""

SESSION_INDEX = "CREATE INDEX IF NOT EXISTS waiting_session ON waiting (session_id, id)"
"""For spools whose payloads are delivered in order."""


def create_tables(connection: SQLiteConnection) -> None:
    """Make a new file a spool.

    The file must not be in WAL mode yet, so that its header is in the file itself for
    `check_spool` to read.
    """
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("BEGIN IMMEDIATE")
    for statement in _statements(_TABLES):
        connection.execute(statement)
    connection.execute("INSERT INTO state (id, boot, next_id) VALUES (1, ?, 1)", (clock.boot_id(),))
    connection.execute(f"PRAGMA user_version = {SPOOL_VERSION}")
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
