"""A handler that produces to a Kafka topic."""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

try:
    from confluent_kafka import KafkaError, KafkaException, Message, Producer
except ImportError as error:
    raise ImportError("KafkaSink needs confluent-kafka: pip install 'unisights[kafka]'") from error

from unisights.errors import ConfigurationError, SinkError
from unisights.sinks._forks import abandon, forget_in_children
from unisights.sinks._records import encode, make_record
from unisights.types import UnisightsPayload

logger = logging.getLogger("unisights.kafka")

POLL_SECONDS = 0.2
"""How long the thread that hears of deliveries may take to hear that it is to end."""

ROOM_SECONDS = 0.02
"""How long to wait before asking again whether the client's queue has room."""

_DEFAULTS: dict[str, Any] = {
    # Payloads of up to 1 MiB, as JSON with all that is left out in them; the brokers' own limit is
    # on what remains after compression.
    "message.max.bytes": 8 * 1024 * 1024,
    "compression.type": "lz4",
    "linger.ms": 1,
    # The partition that the Java client would choose for the key, so that streams can be joined.
    "partitioner": "murmur2_random",
}


class KafkaSink:
    """Produces each payload to a topic: one message, acknowledged by all in-sync replicas.

    The value is the JSON `{"content_id", "received_at", "encrypted", "schema_version", "data"}`,
    the key is the session's id, so that a session's payloads keep their order, and the headers
    `content_id`, `received_at` and `schema_version` say the same as the value. The producer is
    idempotent: what it sends again, it does not store again.

    The client joins messages into batches, and sends again what was lost on the way, until
    `timeout` is over. When its queue is full, callers wait.

    Args:
        bootstrap_servers: addresses of brokers, `host:9092,other:9092`.
        topic: the topic's name.
        timeout: how long a payload may take to be acknowledged, in seconds.
        config: further settings of librdkafka, such as `{"security.protocol": "SSL"}`; they take
            precedence over all that this sink sets by itself.

    Raises:
        ConfigurationError: a value cannot work.
        ImportError: confluent-kafka is not installed.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        *,
        timeout: float = 10.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        if not bootstrap_servers or not topic:
            raise ConfigurationError("KafkaSink: bootstrap_servers and topic must not be empty")
        if timeout <= 0:
            raise ConfigurationError("KafkaSink: timeout must be a number of seconds")
        self._name = f"kafka://{bootstrap_servers}/{topic}"
        self._topic = topic
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
        self._begin()
        forget_in_children(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def forget(self) -> None:
        """Begin anew, in a forked child: the client's threads are the parent's."""
        abandon(self._running)
        self._begin()

    async def __call__(self, payload: UnisightsPayload, _request: Any) -> None:
        """Produce a payload; return when the brokers have acknowledged it.

        Raises:
            SinkError: it was not acknowledged.
        """
        record = make_record(payload)
        # Only unchecked payloads hold another than a string.
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
        try:
            acknowledged = await self._produce(message)
            await acknowledged
        except KafkaException as error:
            raise SinkError(f"{self._name}: {error.args[0].str()}") from error

    async def open(self) -> None:
        """Connect now rather than at the first payload.

        Raises:
            SinkError: no broker answers, or there is no such topic.
        """
        running = self._started()
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                metadata = await asyncio.to_thread(
                    running.producer.list_topics, self._topic, self._timeout
                )
            except KafkaException as error:
                raise SinkError(f"{self._name}: {error.args[0].str()}") from error
            topic = metadata.topics.get(self._topic)
            if topic is not None and topic.error is None:
                return
            # Brokers that make topics when they are asked for take a moment.
            if time.monotonic() > deadline or (topic is not None and not topic.error.retriable()):
                reason = topic.error.str() if topic is not None else "there is no such topic"
                raise SinkError(f"{self._name}: {reason}")
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Wait until what was produced is acknowledged or has failed; a later payload connects."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            await asyncio.to_thread(running.end, self._timeout)

    async def _produce(self, message: Mapping[str, Any]) -> asyncio.Future[None]:
        """Hand a message to the client, once it has room; return what will say how it ended."""
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = loop.create_future()
        deadline = loop.time() + self._timeout
        while True:
            running = self._started()
            on_delivery = partial(self._hear, running, acknowledged)
            try:
                running.producer.produce(self._topic, on_delivery=on_delivery, **message)
            except BufferError as error:
                if loop.time() > deadline:
                    raise SinkError(f"{self._name}: the client's queue is full") from error
                await asyncio.sleep(ROOM_SECONDS)
            except KafkaException as error:
                if error.args[0].fatal():
                    self._discard(running)
                raise
            else:
                return acknowledged

    def _hear(
        self,
        running: "_Running",
        acknowledged: asyncio.Future[None],
        error: KafkaError | None,
        _message: Message,
    ) -> None:
        """Hear how a message ended, in the thread of the client's deliveries."""
        if error is not None and error.fatal():
            self._discard(running)
        try:
            acknowledged.get_loop().call_soon_threadsafe(_finish, acknowledged, error)
        except RuntimeError:
            logger.warning("a payload's event loop ended before its acknowledgement came")

    def _started(self) -> "_Running":
        with self._lock:
            if self._running is None:
                try:
                    self._running = _Running(Producer({**self._config, "logger": logger}))
                except KafkaException as error:
                    raise ConfigurationError(f"KafkaSink: {error.args[0].str()}") from error
            return self._running

    def _discard(self, running: "_Running") -> None:
        """Begin anew after an error that an idempotent producer cannot go on from."""
        with self._lock:
            if self._running is running:
                logger.error("%s: the producer failed for good; a new one is made", self._name)
                self._running = None
                threading.Thread(target=running.end, args=(0.0,), daemon=True).start()


def _finish(acknowledged: asyncio.Future[None], error: KafkaError | None) -> None:
    if acknowledged.done():
        return  # its caller was cancelled
    if error is None:
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(KafkaException(error))


class _Running:
    """A producer, and the thread that hears of deliveries."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self._is_ending = False
        self._thread = threading.Thread(target=self._poll, name="unisights-kafka", daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        while not self._is_ending:
            self.producer.poll(POLL_SECONDS)

    def end(self, timeout: float) -> None:
        """Wait for what is under way, at most so many seconds; what is left then fails."""
        if self.producer.flush(timeout):
            self.producer.purge()
            self.producer.flush(POLL_SECONDS)
        self._is_ending = True
        self._thread.join()
