"""The tables of SQLiteSink: their version, their statements, and the rows of a payload."""

from typing import Any

from unisights._sqlite.versions import Format
from unisights.sinks._records import encode
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

INSERT_PAYLOAD = (
    "INSERT INTO payloads VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (content_id, received_at) DO NOTHING"
)
INSERT_EVENT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Rows = tuple[tuple[Any, ...], list[tuple[Any, ...]]]
"""The row of a payload, and the rows of its events without the number of that row."""


def make_rows(payload: UnisightsPayload) -> Rows:
    """Return the row of a payload, and the rows of its events."""
    data = payload.data
    events = [_event_row(payload, position, event) for position, event in enumerate(data.events)]
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
    return row, events


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
