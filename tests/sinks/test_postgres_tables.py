"""The version of PostgreSQL's tables."""

import psycopg
import pytest
from psycopg import sql

from tests.sinks.places import Place, store
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights.errors import SinkError


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "UPDATE {}.store SET version = 99, needs = '3.1.0'",
            "a newer version of unisights made the tables: use unisights 3.1.0 or later",
        ),
        (
            "ALTER TABLE {}.store DROP COLUMN needs; UPDATE {}.store SET version = 1",
            "an older version of unisights, before 2.0.0, made the tables",
        ),
    ],
)
def test_other_versions_are_refused(postgres_at: Place, change: str, words: str) -> None:
    """A newer one names the version that can use it; an older one the way out."""
    payload = decode_unisights_payload(make_body())
    assert store(postgres_at.make(), [payload]) == [None]
    dsn, _, schema = postgres_at.url.partition("?schema=")
    with psycopg.connect(dsn) as connection:
        named = sql.Identifier(schema)
        connection.execute(sql.SQL(change).format(*[named] * change.count("{}")))  # type: ignore[arg-type]  # not from outside
    (error,) = store(postgres_at.make(), [payload])
    assert isinstance(error, SinkError)
    assert words in str(error)
