"""A handler that stores in PostgreSQL."""

import shlex
from collections.abc import Sequence
from typing import Any, Self

try:
    import psycopg
    from psycopg import AsyncConnection, sql
except ImportError as error:
    raise ImportError("PostgresSink needs psycopg: pip install 'unisights[postgres]'") from error

from unisights.errors import ConfigurationError, SinkError
from unisights.retry import Retry
from unisights.sinks._batch import Batch
from unisights.sinks._batching_sink import TIMEOUT, BatchingSink
from unisights.sinks._postgres_tables import (
    NEEDS,
    STORE_VERSION,
    Rows,
    create_statement,
    insert_statement,
    insert_values,
    make_rows,
)
from unisights.sinks._redaction import without_passwords
from unisights.sinks._urls import split_options
from unisights.sinks._writer import Writer
from unisights.types import UnisightsPayload

_TRANSIENT = ("08", "40", "53", "55P03", "57", "25006", "58")
"""SQLSTATE classes and codes of transient errors: failovers, deadlocks, full disks, restarts."""

_QUOTING = ("22", "23", "P0")
"""SQLSTATE classes of errors whose messages may quote values of payloads."""


class PostgresSink(BatchingSink[Rows]):
    """Stores payloads in PostgreSQL: a row in `payloads` for each, one in `events` per event.

    A batch is one transaction. A payload whose content was stored before is left out, with all its
    events, so a batch may be sent again without harm. PostgreSQL cannot hold U+0000 in text: it
    becomes U+FFFD. The column `raw` keeps the body byte for byte.

    Args:
        dsn: a `postgresql://` URL or a libpq connection string.
        schema: the PostgreSQL schema of the tables; it is made if it does not exist.
        create_tables: make the tables if they do not exist.
        batch: the bounds of a batch.
        retry: how a batch is retried; 4 attempts, if not given.
        timeout: how long one attempt may take, in seconds.

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
        timeout: float = TIMEOUT,
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
        super().__init__(f"{without_passwords(dsn)} schema {schema}", batch, retry, timeout)
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

    def _prepare(self, payload: UnisightsPayload) -> tuple[Rows, int]:
        row, events = make_rows(payload)
        return (row, events), len(payload.raw) + sum(len(event[-1]) for event in events)

    def _make_writer(self) -> "_TableWriter":
        return _TableWriter(self._dsn, self._schema, creates=self._create_tables)


class _TableWriter(Writer[Rows]):
    splits = True

    def __init__(self, dsn: str, schema: str, *, creates: bool) -> None:
        self._dsn = dsn
        self._schema = sql.Identifier(schema)
        self._schema_name = schema
        self._creates = creates
        self._connection: AsyncConnection[Any] | None = None
        self._insert = insert_statement(self._schema)

    async def open(self) -> None:
        await self._connected()

    async def write(self, items: Sequence[Rows]) -> None:
        connection = await self._connected()
        try:
            await connection.execute(self._insert, insert_values(items))
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

    def quotes_payloads(self, error: Exception) -> bool:
        # The details and the context of the server's errors quote values.
        return isinstance(error, psycopg.Error) and error.sqlstate is not None

    def describe(self, error: Exception) -> str:
        if not isinstance(error, psycopg.Error) or error.sqlstate is None:
            return super().describe(error)
        # For errors of data, of constraints and of triggers, the message may quote values, too.
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
                found = STORE_VERSION, NEEDS
        if found is None:
            raise SinkError("the tables do not exist")
        version, needs = found
        if version > STORE_VERSION:
            raise SinkError(
                f"a newer version of unisights made the tables: use unisights {needs} or later "
                f"(tables of version {version}, not {STORE_VERSION})"
            )
        if version < STORE_VERSION:
            raise SinkError(
                f"an older version of unisights, before {NEEDS}, made the tables (version "
                f"{version}, not {STORE_VERSION}): give the argument `schema` another name"
            )

    async def _version(self, connection: AsyncConnection[Any]) -> tuple[int, str] | None:
        """Return the version of the tables, and of the unisights that they need."""
        table = sql.SQL(".").join([self._schema, sql.Identifier("store")])
        name = table.as_string(connection)
        cursor = await connection.execute("SELECT to_regclass(%s) IS NULL", [name])
        if (await cursor.fetchone()) == (True,):
            return None
        # A table of an earlier version has no column `needs`.
        rows = sql.SQL("SELECT version, to_jsonb(store) ->> 'needs' FROM {} store").format(table)
        cursor = await connection.execute(rows)
        row = await cursor.fetchone()
        return (row[0], str(row[1])) if row else (0, "")

    async def _make_tables(self, connection: AsyncConnection[Any]) -> None:
        cursor = await connection.execute(
            "SELECT count(*) FROM pg_namespace WHERE nspname = %s", [self._schema_name]
        )
        if (await cursor.fetchone()) == (0,):
            # IF NOT EXISTS needs the right to create schemas even if the schema exists.
            await connection.execute(sql.SQL("CREATE SCHEMA {}").format(self._schema))
        await connection.execute(create_statement(self._schema))


def _is_transient(error: BaseException) -> bool:
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_TRANSIENT)
    # Without an SQLSTATE no server has answered: the connection failed.
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
