"""A handler that produces to a Kafka topic."""

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

try:
    from confluent_kafka import KafkaError, KafkaException, Message, Producer
except ImportError as error:
    raise ImportError("KafkaSink needs confluent-kafka: pip install 'unisights[kafka]'") from error

from unisights._decoding.identity import digest
from unisights._runtime.fork import abandon, forget_in_children
from unisights._runtime.log import ThrottledLog, log
from unisights.errors import ConfigurationError, SinkError
from unisights.rejection import Rejection
from unisights.sinks._records import encode, make_record
from unisights.types import UnisightsPayload

logger = logging.getLogger("unisights.kafka")

_quiet = ThrottledLog()

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


_OUTLIVED = {
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.UNKNOWN_PRODUCER_ID,
    90,  # PRODUCER_FENCED; older clients have no name for it
    KafkaError._FENCED,  # noqa: SLF001  # its name
}
"""With these, brokers refuse an idempotent producer whatever it sends: it takes a new one."""


class KafkaSink:
    """Produces each payload to a topic: one message, acknowledged by all in-sync replicas.

    The value is the JSON `{"content_id", "received_at", "clock_skew", "encrypted",
    "schema_version", "data"}`, the key is the session's id, so that a session's payloads keep
    their order, and the headers `content_id`, `received_at` and `schema_version` say the same as
    the value. The producer is idempotent: what it sends again, it does not store again.

    The client joins messages into batches, and sends again what was lost on the way, until
    `timeout` is over. When its queue is full, callers wait.

    Args:
        bootstrap_servers: addresses of brokers, `host:9092,other:9092`.
        topic: the topic's name.
        rejected_topic: where `reject` produces what was refused or quarantined, for
            `on_reject=sink.reject`: the JSON of `Rejection.to_dict()` with its `content_id`, and
            no key.
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
        rejected_topic: str | None = None,
        timeout: float = 10.0,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        if not bootstrap_servers or not topic:
            raise ConfigurationError("KafkaSink: bootstrap_servers and topic must not be empty")
        if timeout <= 0:
            raise ConfigurationError("KafkaSink: timeout must be a number of seconds")
        self._name = f"kafka://{bootstrap_servers}/{topic}"
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
        await self._confirm(self._topic, message)

    async def reject(self, rejection: Rejection) -> None:
        """Produce what was rejected; return when the brokers have acknowledged it.

        Raises:
            ConfigurationError: no `rejected_topic` was given.
            SinkError: it was not acknowledged.
        """
        if self._rejected_topic is None:
            raise ConfigurationError("KafkaSink: reject needs a rejected_topic")
        content_id = digest(rejection.raw)
        # The standard library writes the surrogates that servers make of undecodable headers.
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
        await self._confirm(self._rejected_topic, message)

    async def open(self) -> None:
        """Connect now rather than at the first payload.

        Raises:
            SinkError: no broker answers, or there is no such topic.
        """
        await self._find(self._topic)
        if self._rejected_topic is not None:
            await self._find(self._rejected_topic)

    async def _find(self, name: str) -> None:
        """Wait until a topic is there."""
        running = self._started()
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                metadata = await asyncio.to_thread(
                    running.producer.list_topics, name, self._timeout
                )
            except KafkaException as error:
                raise SinkError(f"{self._name}: {error.args[0].str()}") from error
            topic = metadata.topics.get(name)
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

    async def _confirm(self, topic: str, message: Mapping[str, Any]) -> None:
        """Produce a message; return when the brokers have acknowledged it."""
        try:
            acknowledged = await self._produce(topic, message)
            await acknowledged
        except KafkaException as error:
            raise SinkError(f"{self._name}: {error.args[0].str()}") from error

    async def _produce(self, topic: str, message: Mapping[str, Any]) -> asyncio.Future[None]:
        """Hand a message to the client, once it has room; return what will say how it ended."""
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = loop.create_future()
        deadline = loop.time() + self._timeout
        while True:
            running = self._started()
            try:
                running.produce(topic, message, acknowledged)
            except BufferError as error:
                if loop.time() > deadline:
                    raise SinkError(f"{self._name}: the client's queue is full") from error
                await asyncio.sleep(ROOM_SECONDS)
            except KafkaException as error:
                if _is_final(error.args[0]):
                    self._discard(running)
                raise
            else:
                return acknowledged

    def _started(self) -> "_Running":
        with self._lock:
            if self._running is None:
                try:
                    producer = Producer({**self._config, "logger": logger})
                    self._running = _Running(producer, self._discard)
                except KafkaException as error:
                    raise ConfigurationError(f"KafkaSink: {error.args[0].str()}") from error
            return self._running

    def _discard(self, running: "_Running") -> None:
        """Begin anew after an error that an idempotent producer cannot go on from."""
        with self._lock:
            if self._running is running:
                message = "%s: the producer failed for good; a new one is made"
                log(logging.ERROR, "sink_failed", message, self._name, sink=self._name)
                self._running = None
                threading.Thread(target=running.end, args=(0.0,), daemon=True).start()


class _Running:
    """A producer, and the thread that hears of deliveries.

    Args:
        producer: the client's.
        discard: is told, with this object, when the producer has failed for good.
    """

    def __init__(self, producer: Producer, discard: Callable[["_Running"], None]) -> None:
        self.producer = producer
        self._discard = discard
        self._lock = threading.Lock()
        self._pending: set[asyncio.Future[None]] = set()
        self._is_ending = False
        self._thread = threading.Thread(target=self._poll, name="unisights-kafka", daemon=True)
        self._thread.start()

    def produce(
        self, topic: str, message: Mapping[str, Any], acknowledged: asyncio.Future[None]
    ) -> None:
        """Hand a message to the client; the future will say how it ended."""
        with self._lock:
            self._pending.add(acknowledged)
        try:
            self.producer.produce(topic, on_delivery=partial(self._hear, acknowledged), **message)
        except BaseException:
            with self._lock:
                self._pending.discard(acknowledged)
            raise

    def end(self, timeout: float) -> None:
        """Wait for what is under way, at most so many seconds; what is left then fails."""
        with contextlib.suppress(KafkaException):  # it failed for good: what is left fails below
            if self.producer.flush(timeout):
                self.producer.purge()
                self.producer.flush(POLL_SECONDS)
        self._is_ending = True
        self._thread.join()
        # The client may owe an answer for what was on its way; whoever waits must not hang.
        with self._lock:
            pending, self._pending = self._pending, set()
        for acknowledged in pending:
            _tell(acknowledged, KafkaError(KafkaError._PURGE_INFLIGHT))  # noqa: SLF001  # its name

    def _poll(self) -> None:
        while not self._is_ending:
            try:
                self.producer.poll(POLL_SECONDS)
            except KafkaException:
                # So the client tells of an error that it cannot go on from.
                self._discard(self)
            except Exception as error:  # noqa: BLE001  # the thread outlives whatever is raised
                log(logging.ERROR, "sink_failed", "deliveries could not be heard of", error=error)

    def _hear(
        self, acknowledged: asyncio.Future[None], error: KafkaError | None, _message: Message
    ) -> None:
        """Hear how a message ended, in the thread of deliveries."""
        with self._lock:
            self._pending.discard(acknowledged)
        if error is not None and _is_final(error):
            self._discard(self)
        _tell(acknowledged, error)


def _is_final(error: KafkaError) -> bool:
    """Whether the producer cannot go on after this."""
    return error.fatal() or error.code() in _OUTLIVED


def _tell(acknowledged: asyncio.Future[None], error: KafkaError | None) -> None:
    try:
        acknowledged.get_loop().call_soon_threadsafe(_finish, acknowledged, error)
    except RuntimeError:
        message = "a payload's event loop ended before its acknowledgement came"
        _quiet.log(logging.WARNING, "sink_failed", message)


def _finish(acknowledged: asyncio.Future[None], error: KafkaError | None) -> None:
    if acknowledged.done():
        return  # its caller was cancelled
    if error is None:
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(KafkaException(error))
