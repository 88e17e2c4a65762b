"""The topic of KafkaSink for rejections."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.adapters.apps import ADAPTERS, make_client
from tests.sinks.places import kafka_messages, new_name
from tests.sinks.services import Service
from tests.support import click, make_body
from unisights import ConfigurationError
from unisights._runtime.callers import ON_LOOP
from unisights._schema.content_id import digest
from unisights.errors import SinkError
from unisights.schema import SCHEMA_VERSION
from unisights.sinks import KafkaSink


@pytest.fixture
def make(kafka: Service) -> Iterator[Callable[..., KafkaSink]]:
    """Makes sinks of fresh topics, and closes them."""
    made: list[KafkaSink] = []

    def make_sink(**options: Any) -> KafkaSink:
        made.append(KafkaSink(f"127.0.0.1:{kafka.port}", new_name(), **options))
        return made[-1]

    yield make_sink
    for sink in made:
        asyncio.run(ON_LOOP.call(sink.close))


@pytest.mark.parametrize("name", ["asgi", "flask"])
def test_bad_events_have_a_topic(kafka: Service, make: Any, name: str) -> None:
    """When the response is sent, the good events are in one topic and the record in the other."""
    topic = new_name()
    sink = make(rejected_topic=topic)
    (adapter,) = (adapter for adapter in ADAPTERS if adapter.name == name)
    client = make_client(adapter, handler=sink, on_reject=sink.reject, invalid_events="quarantine")
    mixed = make_body(events=[click(), {}])
    assert client.post(mixed, x_odd="\udcff" if name == "flask" else "\xff").status == 200
    assert client.post(b"{").status == 400
    servers = f"127.0.0.1:{kafka.port}"
    (good,) = kafka_messages(servers, sink._topic)
    assert len(json.loads(good.value())["data"]["events"]) == 1
    records = [
        (json.loads(m.value()), dict(m.headers()), m.key()) for m in kafka_messages(servers, topic)
    ]
    by_reason = {record["reason"]: (record, headers, key) for record, headers, key in records}
    assert by_reason.keys() == {"invalid_events", "invalid_json"}
    record, headers, key = by_reason["invalid_events"]
    assert (record["quarantined"], record["body"]) == ([1], mixed.decode())
    assert record["content_id"] == digest(mixed)
    assert key is None
    assert headers == {
        "content_id": digest(mixed).encode(),
        "received_at": str(record["received_at"]).encode(),
        "schema_version": SCHEMA_VERSION.encode(),
        "reason": b"invalid_events",
    }


def test_opening_looks_for_both_topics(make: Any) -> None:
    """A topic that cannot exist is an error of `open`, not of the first rejection."""
    sink = make(rejected_topic="no such topic!", timeout=3)
    with pytest.raises(SinkError):
        asyncio.run(sink.open())


def test_without_a_topic_there_is_no_reject(make: Any) -> None:
    """`reject` without a `rejected_topic` raises an error that names the option."""
    with pytest.raises(ConfigurationError, match="rejected_topic"):
        asyncio.run(make().reject(None))
