"""A handler that produces to a Kafka topic."""

import asyncio
import itertools
import json
import logging
import re
import shlex
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

try:
    from confluent_kafka import KafkaException
except ImportError as error:
    raise ImportError("KafkaSink needs confluent-kafka: pip install 'unisights[kafka]'") from error

from unisights._runtime.backoff import backoff
from unisights._runtime.fork import leak, reset_in_children
from unisights._runtime.log import log
from unisights._schema.content_id import digest
from unisights.errors import ConfigurationError, SinkError
from unisights.rejection import Rejection
from unisights.sinks._kafka_producer import PolledProducer
from unisights.sinks._records import encode, make_record
from unisights.sinks._sink import Sink
from unisights.sinks._urls import wrong_url
from unisights.types import UnisightsPayload

_DEFAULTS: dict[str, Any] = {
    # A payload of 1 MiB is longer as JSON with all defaults written out. The brokers' own limit
    # applies to the size after compression.
    "message.max.bytes": 8 * 1024 * 1024,
    "compression.type": "lz4",
    "linger.ms": 1,
    # The partition that the Java client would choose for the key, so that streams can be joined.
    "partitioner": "murmur2_random",
}


class KafkaSink(Sink):
    """Produces each payload to a topic: one message, acknowledged by all in-sync replicas.

    The value is the JSON `{"content_id", "received_at", "clock_skew", "encrypted",
    "schema_version", "data"}`. The key is the session's id, so that the payloads of a session keep
    their order. The headers `content_id`, `received_at` and `schema_version` repeat the value's.
    The producer is idempotent: a message that it sends again is not stored again.

    The client joins messages into batches, and sends a message again until it is acknowledged or
    `timeout` is over. When the client's queue is full, callers wait for room.

    Args:
        bootstrap_servers: addresses of brokers, `host:9092,other:9092`.
        topic: the name of the topic.
        rejected_topic: where `reject` produces rejections, for `on_reject=sink.reject`: the JSON
            of `Rejection.to_dict()` with its `content_id`, and no key.
        timeout: how long a payload may take to be acknowledged, in seconds.
        config: further settings of librdkafka, such as `{"security.protocol": "SSL"}`; they take
            precedence over those of this sink.

    Raises:
        ConfigurationError: a value is out of range. A wrong setting in `config` raises it when
            the sink first connects.
        ImportError: confluent-kafka is not installed.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        *,
        rejected_topic: str | None = None,
        timeout: float = 10.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        if not bootstrap_servers or not topic:
            raise ConfigurationError("KafkaSink: bootstrap_servers and topic must not be empty")
        if timeout <= 0:
            raise ConfigurationError("KafkaSink: timeout must be a number of seconds")
        self.location = f"kafka://{bootstrap_servers}/{topic}"
        self._servers = bootstrap_servers
        self._topic = topic
        self._rejected_topic = rejected_topic
        self._timeout = timeout
        self._config = {
            **_DEFAULTS,
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "delivery.timeout.ms": int(timeout * 1000),
            "client.id": "unisights",
            **(config or {}),
        }
        self._start_empty()
        reset_in_children(self)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the sink of `kafka://HOST:9092,OTHER:9092/TOPIC`.

        A URL holds no further settings. A sink with a password is made by the constructor.

        Raises:
            ConfigurationError: the URL does not have this form.
        """
        # `urlsplit` does not take several hosts.
        found = re.fullmatch(r"kafka://([^/?#@]+)/([\w.-]+)", url)
        if found is None:
            wanted = "kafka://HOST:9092/TOPIC; settings such as passwords need an app of your own"
            raise wrong_url(url, wanted)
        return cls(*found.groups())

    @property
    def inspect_command(self) -> str:
        """A shell command that shows the newest message of the topic."""
        servers, topic = shlex.quote(self._servers), shlex.quote(self._topic)
        return f"kcat -C -b {servers} -t {topic} -o -1 -c 1"

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._producer: PolledProducer | None = None

    def reset_after_fork(self) -> None:
        """Start without a producer, in a forked child: the client's threads are the parent's."""
        leak(self._producer)
        self._start_empty()

    async def __call__(self, payload: UnisightsPayload, _request: Any) -> None:
        """Produce a payload; return when the brokers have acknowledged it.

        Raises:
            SinkError: the payload was not acknowledged.
        """
        record = make_record(payload)
        # In an unchecked payload, it may be of any type.
        session_id: Any = payload.data.session_id
        message = {
            "value": encode(record),
            "key": session_id if isinstance(session_id, str) else encode(session_id),
            "headers": [
                ("content_id", record["content_id"]),
                ("received_at", str(record["received_at"])),
                ("schema_version", record["schema_version"]),
            ],
        }
        await self._produce(self._topic, message)

    async def reject(self, rejection: Rejection) -> None:
        """Produce a rejection; return when the brokers have acknowledged it.

        Raises:
            ConfigurationError: the sink has no `rejected_topic`.
            SinkError: the rejection was not acknowledged.
        """
        if self._rejected_topic is None:
            raise ConfigurationError("KafkaSink: reject needs a rejected_topic")
        content_id = digest(rejection.raw)
        # The standard library also writes the lone surrogates that servers make of undecodable
        # headers.
        value = json.dumps({"content_id": content_id, **rejection.to_dict()})
        message = {
            "value": value.encode(),
            "headers": [
                ("content_id", content_id),
                ("received_at", str(rejection.received_at)),
                ("schema_version", rejection.schema_version),
                ("reason", rejection.reason),
            ],
        }
        await self._produce(self._rejected_topic, message)

    async def open(self) -> None:
        """Connect now rather than at the first payload.

        Raises:
            SinkError: no broker answers, or there is no such topic.
        """
        await self._find(self._topic)
        if self._rejected_topic is not None:
            await self._find(self._rejected_topic)

    async def close(self) -> None:
        """Wait until every message is acknowledged or has failed. A later payload connects again.

        It waits for `timeout` at most; what is not acknowledged by then fails.
        """
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            await asyncio.to_thread(producer.close, self._timeout)

    async def _find(self, name: str) -> None:
        """Wait until a topic is there: brokers that make topics on demand take a moment."""
        client = self._started().client
        deadline = time.monotonic() + self._timeout
        for attempt in itertools.count(1):
            try:
                metadata = await asyncio.to_thread(client.list_topics, name, self._timeout)
            except KafkaException as error:
                raise self._failure(error) from error
            topic = metadata.topics.get(name)
            if topic is not None and topic.error is None:
                return
            if time.monotonic() > deadline or (topic is not None and not topic.error.retriable()):
                reason = topic.error.str() if topic is not None else "there is no such topic"
                raise SinkError(f"{self.location}: {reason}")
            await _pause(attempt)

    async def _produce(self, topic: str, message: Mapping[str, Any]) -> None:
        """Produce a message; return when the brokers have acknowledged it."""
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            await self._hand_over(topic, message, acknowledged)
            await acknowledged
        except KafkaException as error:
            raise self._failure(error) from error

    async def _hand_over(
        self, topic: str, message: Mapping[str, Any], acknowledged: asyncio.Future[None]
    ) -> None:
        """Hand a message to the client, as soon as its queue has room."""
        deadline = time.monotonic() + self._timeout
        for attempt in itertools.count(1):
            try:
                self._started().produce(topic, message, acknowledged)
            except BufferError as error:
                if time.monotonic() > deadline:
                    raise SinkError(f"{self.location}: the client's queue is full") from error
                await _pause(attempt)
            else:
                return

    def _started(self) -> PolledProducer:
        with self._lock:
            if self._producer is None:
                try:
                    self._producer = PolledProducer(self.location, self._config, self._discard)
                except KafkaException as error:
                    raise ConfigurationError(f"KafkaSink: {error.args[0].str()}") from error
            return self._producer

    def _discard(self, producer: PolledProducer) -> None:
        """Have the next message make a new producer, as this one has failed for good."""
        with self._lock:
            if self._producer is not producer:
                return
            self._producer = None
        message = "%s: the producer failed for good; a new one is made"
        log(logging.ERROR, "sink_failed", message, self.location, sink=self.location)
        threading.Thread(target=producer.close, args=(0.0,), daemon=True).start()

    def _failure(self, error: KafkaException) -> SinkError:
        return SinkError(f"{self.location}: {error.args[0].str()}")


async def _pause(attempt: int) -> None:
    """Wait before asking again whether a topic is there, or whether the queue has room."""
    await asyncio.sleep(backoff(attempt, first=0.02, longest=0.2))
