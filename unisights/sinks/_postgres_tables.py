"""The tables of PostgresSink: their columns, their statements, and the rows of a payload."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg import sql

from unisights.sinks._records import encode
from unisights.types import UnisightsEvent, UnisightsPayload

STORE_VERSION = 2
"""The version of the tables, kept in the table `store`."""

NEEDS = "2.0.0"
"""The first version of unisights that can use these tables, kept beside their version."""

Rows = tuple[tuple[Any, ...], list[tuple[Any, ...]]]
"""The row of a payload, and the rows of its events."""

_PAYLOAD_COLUMNS: dict[LiteralString, LiteralString] = {
    "content_id": "text",
    "received_at": "bigint",
    "client_time": "bigint",
    "asset_id": "text",
    "session_id": "text",
    "page_url": "text",
    "entry_page": "text",
    "exit_page": "text",
    "scroll_depth": "double precision",
    "time_on_page": "double precision",
    "utm_params": "jsonb",
    "device_info": "jsonb",
    "event_count": "integer",
    "encrypted": "boolean",
    "raw": "bytea",
}

_EVENT_COLUMNS: dict[LiteralString, LiteralString] = {
    "position": "integer",
    "type": "text",
    "name": "text",
    "client_time": "bigint",
    "data": "jsonb",
}

_REQUIRED = {
    "content_id",
    "received_at",
    "utm_params",
    "device_info",
    "event_count",
    "encrypted",
    "raw",
    "position",
    "type",
    "data",
}

_TABLES = """
CREATE TABLE {schema}.store (version integer NOT NULL, needs text NOT NULL);
INSERT INTO {schema}.store VALUES ({version}, {needs});
CREATE TABLE {schema}.payloads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    {payload_columns},
    UNIQUE (content_id)
);
CREATE INDEX ON {schema}.payloads (received_at);
CREATE TABLE {schema}.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payload_id bigint NOT NULL REFERENCES {schema}.payloads (id) ON DELETE CASCADE,
    {event_columns},
    received_at bigint NOT NULL,
    asset_id text,
    session_id text,
    page_url text
);
CREATE INDEX ON {schema}.events (payload_id);
CREATE INDEX ON {schema}.events (type, client_time);
-- The session id of an unchecked payload may be longer than a B-tree takes.
CREATE INDEX ON {schema}.payloads USING hash (session_id);
CREATE INDEX ON {schema}.events USING hash (session_id)
"""

# One statement is one transaction and one round trip. The events of a payload that was stored
# before are left out, because `stored` holds new rows only.
_INSERT = """
WITH stored AS (
    INSERT INTO {schema}.payloads ({payload_names})
    SELECT * FROM unnest({payload_arrays})
    ON CONFLICT (content_id) DO NOTHING
    RETURNING id, content_id, received_at, asset_id, session_id, page_url
)
INSERT INTO {schema}.events
    (payload_id, received_at, asset_id, session_id, page_url, {event_names})
SELECT stored.id, received_at, asset_id, session_id, page_url, {event_names}
FROM unnest({event_arrays}) AS event (content_id, {event_names})
JOIN stored USING (content_id)
ORDER BY stored.id, position
"""


def create_statement(schema: sql.Identifier) -> sql.Composed:
    """Return the statements that make the tables in a schema."""
    return sql.SQL(_TABLES).format(
        schema=schema,
        version=sql.Literal(STORE_VERSION),
        needs=sql.Literal(NEEDS),
        payload_columns=_definitions(_PAYLOAD_COLUMNS),
        event_columns=_definitions(_EVENT_COLUMNS),
    )


def insert_statement(schema: sql.Identifier) -> sql.Composed:
    """Return the statement that stores a batch; `insert_values` returns its parameters."""
    return sql.SQL(_INSERT).format(
        schema=schema,
        payload_names=sql.SQL(", ").join(map(sql.Identifier, _PAYLOAD_COLUMNS)),
        payload_arrays=_arrays(_PAYLOAD_COLUMNS),
        event_names=sql.SQL(", ").join(map(sql.Identifier, _EVENT_COLUMNS)),
        event_arrays=_arrays({"content_id": "text", **_EVENT_COLUMNS}),
    )


def insert_values(batch: Sequence[Rows]) -> list[list[Any]]:
    """Return the rows of a batch as arrays, one for each column."""
    # A batch may hold the same payload twice: the first one counts.
    unique = {row[0]: (row, events) for row, events in reversed(batch)}
    payload_rows = [row for row, _ in reversed(unique.values())]
    event_rows = [event for _, events in reversed(unique.values()) for event in events]
    return [
        *_columns(payload_rows, len(_PAYLOAD_COLUMNS)),
        *_columns(event_rows, len(_EVENT_COLUMNS) + 1),
    ]


def make_rows(payload: UnisightsPayload) -> Rows:
    """Return the row of a payload, and the rows of its events."""
    data = payload.data
    content_id = payload.content_id
    events: list[tuple[Any, ...]] = [
        (content_id, position, *_event_values(event)) for position, event in enumerate(data.events)
    ]
    row = (
        content_id,
        payload.received_at,
        max((event[4] for event in events if event[4] is not None), default=None),
        *(_text(value) for value in (data.asset_id, data.session_id, data.page_url)),
        *(_text(value) for value in (data.entry_page, data.exit_page)),
        *(_float(value) for value in (data.scroll_depth, data.time_on_page)),
        _json(data.utm_params.to_dict()),
        _json(data.device_info.to_dict()),
        len(events),
        payload.encrypted,
        payload.raw,
    )
    return row, events


def _definitions(columns: dict[LiteralString, LiteralString]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} {}{}").format(
            sql.Identifier(name), sql.SQL(kind), sql.SQL(" NOT NULL" if name in _REQUIRED else "")
        )
        for name, kind in columns.items()
    )


def _arrays(columns: dict[LiteralString, LiteralString]) -> sql.Composed:
    # Binary form needs no quoting. Clients cannot make the binary form of jsonb.
    return sql.SQL(", ").join(
        sql.SQL("%b::text[]::jsonb[]" if kind == "jsonb" else "%b::{}[]").format(sql.SQL(kind))
        for kind in columns.values()
    )


def _columns(rows: list[tuple[Any, ...]], width: int) -> Iterator[list[Any]]:
    for index in range(width):
        yield [row[index] for row in rows]


def _event_values(event: UnisightsEvent) -> tuple[str, str | None, int | None, str]:
    data = event.data
    return (
        event.type,
        _text(getattr(data, "name", None)),
        _integer(data.timestamp),
        _json(data.to_dict()),
    )


def _text(value: Any) -> str | None:
    """Return a value as text; one that is no string, in an unchecked payload, becomes JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else encode(value).decode()
    return text.replace("\0", "\ufffd")


def _float(value: Any) -> float | None:
    """Return a value as a double, or None if a double cannot hold it; `raw` keeps the body."""
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _integer(value: Any) -> int | None:
    """Return a value as a bigint, or None if a bigint cannot hold it."""
    fits = isinstance(value, int) and -(2**63) <= value < 2**63
    return int(value) if fits else None


def _json(value: Any) -> str:
    """Return a value as JSON that PostgreSQL takes: without U+0000."""
    text = encode(value).decode()
    return encode(_without_nul(value)).decode() if r"\u0000" in text else text


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nul(item) for item in value]
    return value
