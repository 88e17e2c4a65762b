"""Destinations that are down, slow, full, or come back: each test has a server of its own."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.sinks import services
from tests.sinks.places import Place, kafka_place, postgres_place, redis_place, store
from tests.sinks.services import Service
from tests.support import click, make_body
from unisights import Retry, UnisightsPayload, decode_unisights_payload
from unisights.errors import SinkError
from unisights.sinks import Batch, KafkaSink, PostgresSink, RedisStreamSink

IMPATIENT: dict[str, Any] = {"retry": Retry(attempts=1), "timeout": 1.0}
PATIENT: dict[str, Any] = {
    "retry": Retry(attempts=40, pause=0.15, max_pause=0.45),
    "timeout": 5.0,
}


@dataclass(frozen=True)
class Kind:
    """A kind of destination.

    Attributes:
        run: runs a server of it.
        place: a place on that server.
        forgets: whether the server holds nothing after a restart.
    """

    run: Callable[[], AbstractContextManager[Service]]
    place: Callable[[int], Place]
    forgets: bool = False


KINDS = {
    "postgres": Kind(services.postgres, postgres_place),
    "redis": Kind(services.redis, redis_place),
    "kafka": Kind(services.kafka, kafka_place, forgets=True),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of destination that can go away, in turn."""
    return KINDS[request.param]


@pytest.fixture
def service(kind: Kind) -> Iterator[Service]:
    """A server that the test may stop."""
    with kind.run() as running:
        yield running


def _payload(label: str) -> UnisightsPayload:
    return decode_unisights_payload(make_body(asset_id=label, events=[click()]))


def test_a_destination_that_is_down(kind: Kind, service: Service) -> None:
    """`open` and each payload soon raise an error that names the destination."""
    place = kind.place(service.port)
    service.stop()
    sink = place.make(**IMPATIENT)

    async def main() -> None:
        with pytest.raises(SinkError, match=str(service.port)):
            await sink.open()
        for _ in range(2):
            with pytest.raises(SinkError, match=str(service.port)):
                await sink(_payload("x"), None)
        await sink.close()

    begin = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begin < 20


def test_a_destination_that_comes_back(kind: Kind, service: Service) -> None:
    """After a restart the same sink stores again; payloads in between raise an error."""
    place = kind.place(service.port)
    sink = place.make(**IMPATIENT)

    async def main() -> None:
        await sink(_payload("before"), None)
        service.stop()
        with pytest.raises(SinkError):
            await sink(_payload("meanwhile"), None)
        service.start()
        # The first try may still find the lost connection.
        for _ in range(30):
            with contextlib.suppress(SinkError):
                await sink(_payload("after"), None)
                break
            await asyncio.sleep(0.2)
        else:
            pytest.fail("it did not come back")
        await sink.close()

    asyncio.run(main())
    assert len(place.read()) >= (1 if kind.forgets else 2)


def test_a_short_outage_is_not_noticed(kind: Kind, service: Service) -> None:
    """Payloads that come while the destination restarts are stored when it is back."""
    place = kind.place(service.port)
    sink = place.make(**PATIENT)

    # A broker of real life has its topics on a disk.
    begin, end = (service.freeze, service.resume) if kind.forgets else (service.stop, service.start)

    async def main() -> None:
        await sink.open()
        begin()
        calls = [asyncio.ensure_future(sink(_payload(str(n)), None)) for n in range(20)]
        await asyncio.sleep(0.5)
        assert not any(call.done() for call in calls)
        await asyncio.to_thread(end)
        await asyncio.gather(*calls)
        await sink.close()

    asyncio.run(main())
    assert len(place.read()) >= 20


def test_a_destination_that_hangs(kind: Kind, service: Service) -> None:
    """A payload fails when the time is over, and the event loop is never blocked."""
    place = kind.place(service.port)
    sink = place.make(**IMPATIENT)

    async def main() -> None:
        await sink(_payload("before"), None)
        service.freeze()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.05)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        with pytest.raises(SinkError):
            await sink(_payload("meanwhile"), None)
        ticking.cancel()
        assert ticks >= 5
        service.resume()
        for _ in range(30):
            with contextlib.suppress(SinkError):
                await sink(_payload("after"), None)
                break
        else:
            pytest.fail("it did not come back")
        await sink.close()

    asyncio.run(main())
    assert len(place.read()) >= 2


def test_a_blocked_table_is_waited_for(postgres_at: Place) -> None:
    """After a timeout the batch is retried, and nothing is stored twice."""
    import psycopg

    store(postgres_at.make(), [_payload("first")])
    dsn, _, schema = postgres_at.url.partition("?schema=")
    sink = postgres_at.make(retry=Retry(attempts=20, pause=0.05), timeout=0.5)
    with psycopg.connect(dsn) as blocking:
        blocking.execute(f"LOCK TABLE {schema}.payloads IN ACCESS EXCLUSIVE MODE")
        timer = threading.Timer(1.2, blocking.rollback)
        timer.start()
        assert store(sink, [_payload("a"), _payload("b")]) == [None, None]
        timer.join()
    assert len(postgres_at.read()) == 3


def test_one_bad_payload_fails_alone(postgres_at: Place) -> None:
    """A payload that PostgreSQL refuses fails by itself; the rest of its batch is stored."""
    import psycopg

    dsn, _, schema = postgres_at.url.partition("?schema=")
    store(postgres_at.make(), [])
    asyncio.run(_open_and_close(postgres_at.make()))
    with psycopg.connect(dsn) as connection:
        connection.execute(
            f"ALTER TABLE {schema}.payloads ADD CHECK (asset_id <> 'bad' OR asset_id IS NULL)"
        )
    labels = [str(number) for number in range(10)]
    labels[6] = "bad"
    ended = store(postgres_at.make(batch=Batch(linger=0.05)), [_payload(label) for label in labels])
    assert [isinstance(one, SinkError) for one in ended] == [label == "bad" for label in labels]
    assert len(postgres_at.read()) == 9


async def _open_and_close(sink: Any) -> None:
    try:
        await sink.open()
    finally:
        await sink.close()


def test_a_key_of_another_type(redis_at: Place, redis: Service) -> None:
    """With a key that holds no stream, `open` and each payload raise a clear error."""
    import redis as client

    stream = redis_at.url.rpartition("=")[2]
    with client.Redis(port=redis.port) as connection:
        connection.set(stream, "text")
    sink = redis_at.make()
    with pytest.raises(SinkError, match="holds no stream, but a string"):
        asyncio.run(_open_and_close(sink))
    (error,) = store(sink, [_payload("x")])
    assert isinstance(error, SinkError)
    assert "WRONGTYPE" in str(error)


def test_a_redis_that_is_full() -> None:
    """Payloads fail while Redis has no memory left, and are stored when it has."""
    import redis as client

    with services.redis() as service:
        place = redis_place(service.port)
        with client.Redis(port=service.port) as connection:
            connection.config_set("maxmemory", "1")
            (error,) = store(place.make(**IMPATIENT), [_payload("x")])
            assert isinstance(error, SinkError)
            connection.config_set("maxmemory", "0")
        assert store(place.make(), [_payload("x")]) == [None]
        assert len(place.read()) == 1


def test_a_full_local_queue_makes_callers_wait(kafka_at: Place) -> None:
    """When the Kafka client's own queue is full, callers wait for room; nothing is lost."""
    sink = kafka_at.make(config={"queue.buffering.max.messages": 5, "linger.ms": 50})
    assert store(sink, [_payload(str(number)) for number in range(60)]) == [None] * 60
    assert len(kafka_at.read()) == 60


def test_a_message_that_is_too_large(kafka_at: Place) -> None:
    """A payload that is larger than Kafka takes fails alone, at once."""
    sink = kafka_at.make(config={"message.max.bytes": 2000})
    large = decode_unisights_payload(make_body(events=[click()] * 100))
    first, second, third = store(sink, [_payload("a"), large, _payload("b")])
    assert (first, third) == (None, None)
    assert isinstance(second, SinkError)
    assert "too large" in str(second)
    assert len(kafka_at.read()) == 2


@pytest.mark.parametrize(
    "sink",
    [
        lambda port: PostgresSink(f"postgresql://me:hush@127.0.0.1:{port}/x", **IMPATIENT),
        lambda port: PostgresSink(f"host=127.0.0.1 port={port} password=hush", **IMPATIENT),
        lambda port: RedisStreamSink(f"redis://:hush@127.0.0.1:{port}/0", **IMPATIENT),
        lambda port: KafkaSink(
            f"127.0.0.1:{port}",
            "x",
            timeout=1,
            config={
                "sasl.username": "me",
                "sasl.password": "hush",
                "sasl.mechanism": "PLAIN",
                "security.protocol": "SASL_PLAINTEXT",
            },
        ),
    ],
    ids=["postgres-url", "postgres-words", "redis", "kafka"],
)
def test_messages_hold_no_password(sink: Callable[[int], Any]) -> None:
    """The error messages of a sink hold no password."""
    made = sink(1)
    with pytest.raises(SinkError) as raised:
        asyncio.run(_open_and_close(made))
    assert "127.0.0.1" in str(raised.value)
    assert "hush" not in str(raised.value)
    assert "hush" not in repr(raised.value.__cause__)
