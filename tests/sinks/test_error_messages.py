"""The messages of failed sinks: they say what to repair, and quote nothing of payloads."""

import logging
import traceback
from typing import Any

import pytest

from tests.sinks.places import Place, store
from tests.sinks.services import Service
from tests.support import click, make_body
from unisights import decode_unisights_payload
from unisights.errors import SinkError
from unisights.retry import Retry
from unisights.sinks import PostgresSink, RedisStreamSink

MARKER = "tell-tale"

QUICK = Retry(attempts=2, pause=0.001)


TRIGGER = """
CREATE FUNCTION {{0}}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON {{0}}.payloads FOR EACH ROW
EXECUTE FUNCTION {{0}}.refuse()
"""


def _payload() -> Any:
    named = {"type": "custom", "data": {"name": MARKER, "data": MARKER, "timestamp": 1}}
    return decode_unisights_payload(make_body(asset_id=MARKER, events=[named, click()]))


def _words(error: Any, caplog: pytest.LogCaptureFixture) -> str:
    """Whatever a log may hold of an error: its traceback with its causes, and what was logged."""
    assert isinstance(error, SinkError)
    return "".join(traceback.format_exception(error)) + caplog.text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE {0}.payloads ADD CHECK (asset_id != 'tell-tale')", "CheckViolation (23514)"),
        ("ALTER TABLE {0}.events ALTER COLUMN name TYPE char(3)", "(22001)"),
        ("DROP TABLE {0}.events", "events"),
        (TRIGGER.format("RAISE 'no room for %', new.asset_id"), "RaiseException (P0001)"),
        (TRIGGER.format("RAISE SQLSTATE '40001' USING DETAIL = new.asset_id"), "40001"),
    ],
    ids=["check", "too-long", "no-table", "trigger", "detail"],
)
def test_postgresql_quotes_no_values(
    postgres: Service,
    postgres_at: Place,
    change: str,
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message says what is wrong, without the values of messages, details and contexts."""
    import psycopg

    dsn, _, schema = postgres_at.url.partition("?schema=")
    store(PostgresSink(dsn, schema=schema), [])
    assert store(PostgresSink(dsn, schema=schema), [decode_unisights_payload(make_body())]) == [
        None
    ]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(change.format(schema))
    (error,) = store(PostgresSink(dsn, schema=schema, retry=QUICK), [_payload()])
    words = _words(error, caplog)
    assert told in words
    assert MARKER not in words


def test_redis_quotes_no_commands(
    redis: Service, redis_at: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """The client quotes the failed command in its message; the sink leaves that out."""
    import redis as client

    url, _, stream = redis_at.url.partition("?stream=")
    with client.Redis.from_url(url) as connection:
        connection.set(stream, "no stream")
    caplog.set_level(logging.DEBUG, logger="unisights")
    (error,) = store(RedisStreamSink(url, stream, retry=QUICK), [_payload()])
    words = _words(error, caplog)
    assert "WRONGTYPE" in words
    assert "XADD" not in words
    assert MARKER not in words


def test_unknown_words_of_the_redis_client_are_not_shown(
    redis: Service,
    redis_at: Place,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the client quotes the failed command in other words, only the error's type is shown."""
    import redis as client
    from redis.asyncio.client import Pipeline

    def annotate(_self: Any, error: Exception, _number: int, command: Any) -> None:
        error.args = (f"{error}: {command}",)

    monkeypatch.setattr(Pipeline, "annotate_exception", annotate)
    url, _, stream = redis_at.url.partition("?stream=")
    with client.Redis.from_url(url) as connection:
        connection.set(stream, "no stream")
    (error,) = store(RedisStreamSink(url, stream, retry=QUICK), [_payload()])
    words = _words(error, caplog)
    assert "ResponseError" in words
    assert "XADD" not in words
    assert MARKER not in words
