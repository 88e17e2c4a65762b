"""A handler that stores into PostgreSQL."""

import math
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, LiteralString, Self

try:
    import psycopg
    from psycopg import AsyncConnection, sql
except ImportError as error:
    raise ImportError("PostgresSink needs psycopg: pip install 'unisights[postgres]'") from error

from unisights.errors import ConfigurationError, SinkError
from unisights.sinks._batch import Batch
from unisights.sinks._batching_sink import BatchingSink
from unisights.sinks._records import encode
from unisights.sinks._redaction import without_passwords
from unisights.sinks._retry import Retry
from unisights.sinks._urls import split_options
from unisights.sinks._writer import Writer
from unisights.types import Event, UnisightsPayload

STORE_VERSION = 1
"""The version of the tables, kept in the table `store`."""

Columns = tuple[tuple[Any, ...], list[tuple[Any, ...]]]
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
CREATE TABLE {schema}.store (version integer NOT NULL);
INSERT INTO {schema}.store VALUES ({version});
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

# SQLSTATE classes and codes of transient errors: a failover, a deadlock, a full disk, a restart.
_TRANSIENT = ("08", "40", "53", "55P03", "57", "25006", "58")
_QUOTING = ("22", "23", "P0")
"""SQLSTATE classes of errors whose messages may quote what was to be stored."""


class PostgresSink(BatchingSink[Columns]):
    """Stores payloads in PostgreSQL: a row in `payloads` for each, one in `events` per event.

    A batch is one transaction. A payload whose content was stored before is left out, with all its
    events, so a batch may be sent again without harm. PostgreSQL cannot hold U+0000 in text: it
    becomes U+FFFD. The column `raw` keeps the body byte for byte.

    Args:
        dsn: a `postgresql://` URL or a libpq connection string.
        schema: the PostgreSQL schema of the tables; it is made if it does not exist.
        create_tables: make the tables if they do not exist.
        batch: the bounds of a batch.
        retry: how a batch is retried.

    Raises:
        ConfigurationError: `dsn` or `schema` cannot be used.
        ImportError: psycopg is not installed.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "unisights",
        create_tables: bool = True,
        batch: Batch | None = None,
        retry: Retry | None = None,
    ) -> None:
        try:
            psycopg.conninfo.conninfo_to_dict(dsn)
        except psycopg.Error as error:
            # The message may quote the string, which may hold a password.
            raise ConfigurationError(
                "PostgresSink: dsn must be a postgresql:// URL or a libpq connection string"
            ) from error
        if not schema or "\0" in schema:
            raise ConfigurationError("PostgresSink: schema must be a name")
        super().__init__(f"{without_passwords(dsn)} schema {schema}", batch, retry)
        self._dsn = dsn
        self._schema = schema
        self._create_tables = create_tables

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the sink of a URL such as `postgresql://USER@HOST/DATABASE?schema=NAME`.

        The query may have `schema`; libpq gets the rest of the URL.

        Raises:
            ConfigurationError: libpq cannot read the URL, or the schema has no name.
        """
        dsn, options = split_options(url, {"schema": str})
        return cls(dsn, **options)

    @property
    def inspect_command(self) -> str:
        """A shell command that shows how many events of each type were stored."""
        query = f'SELECT type, count(*) FROM "{self._schema}".events GROUP BY type'  # noqa: S608  # shown
        return f"psql {shlex.quote(without_passwords(self._dsn))} -c {shlex.quote(query)}"

    def _prepare(self, payload: UnisightsPayload) -> tuple[Columns, int]:
        identity = payload.content_id
        events = [
            (identity, position, *_event_values(event))
            for position, event in enumerate(payload.data.events)
        ]
        data = payload.data
        row = (
            identity,
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
        return (row, events), len(payload.raw) + sum(len(event[5]) for event in events)

    def _make_writer(self) -> "_TableWriter":
        return _TableWriter(self._dsn, self._schema, creates=self._create_tables)


class _TableWriter(Writer[Columns]):
    splits = True

    def __init__(self, dsn: str, schema: str, *, creates: bool) -> None:
        self._dsn = dsn
        self._schema = sql.Identifier(schema)
        self._schema_name = schema
        self._creates = creates
        self._connection: AsyncConnection[Any] | None = None
        self._insert = sql.SQL(_INSERT).format(
            schema=self._schema,
            payload_names=sql.SQL(", ").join(map(sql.Identifier, _PAYLOAD_COLUMNS)),
            payload_arrays=_arrays(_PAYLOAD_COLUMNS),
            event_names=sql.SQL(", ").join(map(sql.Identifier, _EVENT_COLUMNS)),
            event_arrays=_arrays({"content_id": "text", **_EVENT_COLUMNS}),
        )

    async def open(self) -> None:
        await self._connected()

    async def write(self, items: Sequence[Columns]) -> None:
        connection = await self._connected()
        # A batch may hold the same payload twice.
        unique = {row[0]: (row, events) for row, events in reversed(items)}
        rows = [row for row, _ in reversed(unique.values())]
        events = [event for _, batch in reversed(unique.values()) for event in batch]
        values = [
            *_columns(rows, len(_PAYLOAD_COLUMNS)),
            *_columns(events, len(_EVENT_COLUMNS) + 1),
        ]
        try:
            await connection.execute(self._insert, values)
        except BaseException as error:
            if connection.closed or not isinstance(error, psycopg.Error) or _is_transient(error):
                # The state of the connection is unknown: the next attempt makes a new one.
                self._connection = None
                await connection.close()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def is_transient(self, error: Exception) -> bool:
        return isinstance(error, OSError) or _is_transient(error)

    def describe(self, error: Exception) -> str:
        if not isinstance(error, psycopg.Error) or error.sqlstate is None:
            return super().describe(error)
        # Details and context quote values. For errors of data, of constraints and of triggers, the
        # message may quote them, too.
        if error.sqlstate.startswith(_QUOTING):
            return f"{type(error).__name__} ({error.sqlstate})"
        return " ".join((error.diag.message_primary or type(error).__name__).split())

    async def _connected(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            connection = await AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                # Poolers such as PgBouncer do not keep prepared statements.
                prepare_threshold=None,
                fallback_application_name="unisights",
                client_encoding="utf8",
            )
            try:
                await self._check(connection)
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
        return self._connection

    async def _check(self, connection: AsyncConnection[Any]) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise SinkError(f"the database's encoding must be UTF8, not {encoding}")
        async with connection.transaction():
            # Several processes may do this at once, and CREATE … IF NOT EXISTS is no lock.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('unisights store'))")
            found = await self._version(connection)
            if found is None and self._creates:
                await self._make_tables(connection)
                found = STORE_VERSION
        if found != STORE_VERSION:
            reason = "are of another version" if found is not None else "do not exist"
            raise SinkError(f"the tables {reason}")

    async def _version(self, connection: AsyncConnection[Any]) -> int | None:
        table = sql.SQL(".").join([self._schema, sql.Identifier("store")])
        name = table.as_string(connection)
        cursor = await connection.execute("SELECT to_regclass(%s) IS NULL", [name])
        if (await cursor.fetchone()) == (True,):
            return None
        cursor = await connection.execute(sql.SQL("SELECT max(version) FROM {}").format(table))
        row = await cursor.fetchone()
        return row[0] if row else None

    async def _make_tables(self, connection: AsyncConnection[Any]) -> None:
        cursor = await connection.execute(
            "SELECT count(*) FROM pg_namespace WHERE nspname = %s", [self._schema_name]
        )
        if (await cursor.fetchone()) == (0,):
            # IF NOT EXISTS needs the right to create schemas even if the schema exists.
            await connection.execute(sql.SQL("CREATE SCHEMA {}").format(self._schema))
        tables = sql.SQL(_TABLES).format(
            schema=self._schema,
            version=sql.Literal(STORE_VERSION),
            payload_columns=_definitions(_PAYLOAD_COLUMNS),
            event_columns=_definitions(_EVENT_COLUMNS),
        )
        await connection.execute(tables)


def _is_transient(error: BaseException) -> bool:
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_TRANSIENT)
    # Without an SQLSTATE no server has answered: the connection failed.
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


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


def _event_values(event: Event) -> tuple[str, str | None, int | None, str]:
    data = event.data
    return (
        event.type,
        _text(getattr(data, "name", None)),
        _integer(data.timestamp),
        _json(data.to_dict()),
    )


def _text(value: Any) -> str | None:
    """A value as text; what is no string, in an unchecked payload, becomes JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else encode(value).decode()
    return text.replace("\0", "\ufffd")


def _float(value: Any) -> float | None:
    """A value as a double, or None if a double cannot hold it; `raw` keeps what was received."""
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _integer(value: Any) -> int | None:
    """A value as a bigint, or None if a bigint cannot hold it."""
    fits = isinstance(value, int) and -(2**63) <= value < 2**63
    return int(value) if fits else None


def _json(value: Any) -> str:
    """A value as JSON that PostgreSQL takes: without U+0000."""
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
