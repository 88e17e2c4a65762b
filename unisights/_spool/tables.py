"""The tables of a spool, and their version.

A payload's body is written once and never moved. Its owner, attempts and due time change, so they
are in a narrow table beside it: claiming, taking over, rescheduling and dead-lettering cost little.
Triggers keep the totals in `state` for every row that comes or goes.
"""

import sqlite3

from unisights._spool import clock
from unisights._sqlite.versions import Format

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

FORMAT = Format(application_id=0x75736C71, version=4, needs="2.0.0", tables=_TABLES, migrations={})
"""What a spool is, in its present version. Whoever changes the tables adds a migration."""


def create_tables(connection: sqlite3.Connection) -> None:
    """Make a new file a spool.

    The file must not be in WAL mode yet, so that its header is in the file itself for
    `check_spool` to read.
    """
    connection.execute("BEGIN IMMEDIATE")
    FORMAT.create(connection)
    connection.execute("INSERT INTO state (id, boot, next_id) VALUES (1, ?, 1)", (clock.boot_id(),))
    connection.execute("COMMIT")
