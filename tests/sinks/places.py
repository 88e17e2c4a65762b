"""Where payloads can be stored, and how to read them back: one fresh place for each test."""

import asyncio
import json
import operator
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisights import UnisightsPayload
from unisights._runtime.callers import ON_LOOP
from unisights.schema import SCHEMA_VERSION
from unisights.sinks import (
    JSONLinesSink,
    KafkaSink,
    PostgresSink,
    RedisStreamSink,
    SQLiteSink,
)


@dataclass(frozen=True)
class Stored:
    """A payload as a place holds it, in the form that all places share."""

    content_id: str
    received_at: int
    encrypted: bool
    session_id: Any
    events: list[Any]


@dataclass(frozen=True)
class Place:
    """A place.

    Attributes:
        url: as `unisights serve --sink` takes it.
        make: makes a sink that stores there; takes the sink's own options.
        read: reads all that is there, in the order in which it was stored.
        keeps_nul: whether it can hold U+0000 in a string.
        key: what a payload is told by that comes twice, and is there once; nothing: it is twice.
    """

    url: str
    make: Callable[..., Any]
    read: Callable[[], list[Stored]]
    keeps_nul: bool = True
    key: tuple[str, ...] = ()

    def distinct(self, stored: list[Stored]) -> list[Stored]:
        """What the place holds after these were stored one after the other."""
        if not self.key:
            return stored
        first = {operator.attrgetter(*self.key)(one): one for one in reversed(stored)}
        return list(reversed(first.values()))


def as_stored(payload: UnisightsPayload, place: Place) -> Stored:
    """What the place holds after a payload was stored."""
    data = payload.data.to_dict()
    shown = data if place.keeps_nul else without_nul(data)
    return Stored(
        payload.content_id,
        payload.received_at,
        payload.encrypted,
        shown["session_id"],
        numbers_as_floats(shown["events"]),
    )


def without_nul(value: Any) -> Any:
    """JSON with U+FFFD for each U+0000."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(member) for key, member in value.items()}
    return [without_nul(item) for item in value] if isinstance(value, list) else value


def numbers_as_floats(value: Any) -> Any:
    """JSON whose numbers can be compared: a database may write 1e308 in digits."""
    if isinstance(value, dict):
        return {key: numbers_as_floats(member) for key, member in value.items()}
    if isinstance(value, list):
        return [numbers_as_floats(item) for item in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else value


def store(sink: Any, payloads: Iterable[UnisightsPayload]) -> list[Any]:
    """Store payloads, all at once, and close; return what each call returned or raised."""

    async def main() -> list[Any]:
        try:
            calls = [ON_LOOP.call(sink, payload, None) for payload in payloads]
            return await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await ON_LOOP.call(sink.close)

    return asyncio.run(main())


def new_name() -> str:
    """A name that is not in use."""
    return f"test_{uuid.uuid4().hex}"


def _from_record(record: dict[str, Any]) -> Stored:
    keys = ["content_id", "received_at", "clock_skew", "encrypted", "schema_version", "data"]
    assert list(record) == keys
    assert record["schema_version"] == SCHEMA_VERSION
    return Stored(
        record["content_id"],
        record["received_at"],
        record["encrypted"],
        record["data"]["session_id"],
        numbers_as_floats(record["data"]["events"]),
    )


def sqlite_place(directory: Path) -> Place:
    """A SQLite file."""
    path = directory / "events.sqlite3"

    def read() -> list[Stored]:
        connection = sqlite3.connect(path)
        rows = connection.execute(
            "SELECT content_id, received_at, encrypted, session_id, id FROM payloads ORDER BY id"
        ).fetchall()
        stored = []
        for content_id, received_at, encrypted, session_id, number in rows:
            events = connection.execute(
                "SELECT type, data FROM events WHERE payload_id = ? ORDER BY position", [number]
            )
            stored.append(
                Stored(
                    content_id,
                    received_at,
                    bool(encrypted),
                    session_id,
                    [_event(kind, json.loads(data)) for kind, data in events],
                )
            )
        connection.close()
        return stored

    def make(**options: Any) -> SQLiteSink:
        options.pop("retry", None)
        return SQLiteSink(path, **options)

    return Place(f"sqlite:///{path}", make, read, key=("content_id", "received_at"))


def _event(kind: str, data: Any) -> dict[str, Any]:
    return {"type": kind, "data": numbers_as_floats(data)}


def jsonl_place(directory: Path) -> Place:
    """A file of lines, and the full files that were renamed."""
    path = directory / "events.jsonl"

    def make(**options: Any) -> JSONLinesSink:
        options.pop("retry", None)
        return JSONLinesSink(path, **options)

    def read() -> list[Stored]:
        full = sorted(directory.glob("events.jsonl.*"), key=lambda file: int(file.suffix[1:]))
        text = "".join(file.read_text(encoding="utf-8") for file in [*full, path] if file.exists())
        return [_from_record(json.loads(line)) for line in text.split("\n") if line]

    return Place(f"jsonl:{path}", make, read)


def postgres_place(port: int) -> Place:
    """A schema of a PostgreSQL database."""
    import psycopg
    from psycopg import sql

    schema = new_name()
    dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def read() -> list[Stored]:
        named = sql.Identifier(schema)
        with psycopg.connect(dsn) as connection:
            rows = connection.execute(
                sql.SQL(
                    "SELECT content_id, received_at, encrypted, session_id, id, event_count"
                    " FROM {}.payloads ORDER BY id"
                ).format(named)
            ).fetchall()
            stored = []
            for *columns, number, count in rows:
                events = connection.execute(
                    sql.SQL(
                        "SELECT type, data FROM {}.events WHERE payload_id = %s ORDER BY id"
                    ).format(named),
                    [number],
                ).fetchall()
                assert len(events) == count
                stored.append(Stored(*columns, [_event(*event) for event in events]))
        return stored

    def make(**options: Any) -> PostgresSink:
        return PostgresSink(dsn, schema=schema, **options)

    return Place(f"{dsn}?schema={schema}", make, read, keeps_nul=False, key=("content_id",))


def redis_place(port: int) -> Place:
    """A stream of a Redis."""
    import redis

    stream = new_name()
    url = f"redis://127.0.0.1:{port}/0"

    def read() -> list[Stored]:
        with redis.Redis.from_url(url) as client:
            entries = client.xrange(stream)
        plain = {b"content_id", b"schema_version"}
        return [
            _from_record(
                {
                    key.decode(): value.decode() if key in plain else json.loads(value)
                    for key, value in fields.items()
                }
            )
            for _, fields in entries
        ]

    def make(**options: Any) -> RedisStreamSink:
        return RedisStreamSink(url, stream, **options)

    return Place(f"{url}?stream={stream}", make, read)


def kafka_place(port: int) -> Place:
    """A topic."""
    topic = new_name()
    servers = f"127.0.0.1:{port}"

    def make(**options: Any) -> KafkaSink:
        retry = options.pop("retry", None)
        options.pop("batch", None)
        if retry is not None:
            # Brokers that make topics when asked for take a moment.
            options["timeout"] = max(4.0, min(20.0, options["timeout"] * retry.attempts))
        return KafkaSink(servers, topic, **options)

    def read() -> list[Stored]:
        return [
            _from_record(json.loads(message.value())) for message in kafka_messages(servers, topic)
        ]

    return Place(f"kafka://{servers}/{topic}", make, read)


def kafka_messages(servers: str, topic: str) -> list[Any]:
    """All messages of a topic, one partition after the other."""
    from confluent_kafka import Consumer, TopicPartition

    settings = {
        "bootstrap.servers": servers,
        "group.id": "tests",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 10,
    }
    consumer = Consumer(settings)
    try:
        messages: list[Any] = []
        for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
            place = TopicPartition(topic, partition, 0)
            _, end = consumer.get_watermark_offsets(place, 10)
            consumer.assign([place])
            # This broker's mark is the beginning of the last batch, which comes as a whole: what is
            # behind the mark is there by the time that the mark's message is.
            is_whole = end == 0
            while (message := consumer.poll(0.3 if is_whole else 10)) is not None:
                assert message.error() is None
                messages.append(message)
                is_whole = message.offset() + 1 >= end
            assert is_whole, f"{topic} [{partition}] ends before {end}"
        return messages
    finally:
        consumer.close()
