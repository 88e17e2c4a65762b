"""A producer of confluent-kafka, and the thread that polls it for delivery reports."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from unisights._runtime.log import ThrottledLog, log
from unisights.errors import SinkError

POLL_SECONDS = 0.2
"""How long one poll lasts, and so how long the thread may take to end."""

PRODUCER_FENCED = 90
"""A broker's error; the oldest supported client has no name for it."""

FENCED = -144
"""librdkafka's `RD_KAFKA_RESP_ERR__FENCED`; the Python client has only a private name for it."""

_FINAL_ERRORS = {
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.UNKNOWN_PRODUCER_ID,
    PRODUCER_FENCED,
    FENCED,
}
"""After one of these, brokers refuse whatever this idempotent producer sends."""

_client_log = logging.getLogger("unisights.kafka")
_throttled_log = ThrottledLog()


class PolledProducer:
    """A producer, and the thread that polls it for delivery reports.

    Args:
        location: the destination, for messages.
        config: the settings of librdkafka.
        discard: called with this object when the producer has failed for good; more than once, and
            from any thread.

    Raises:
        KafkaException: the settings cannot work.
    """

    def __init__(
        self,
        location: str,
        config: Mapping[str, Any],
        discard: Callable[["PolledProducer"], None],
    ) -> None:
        self.client = Producer({**config, "logger": _client_log})
        self._location = location
        self._discard = discard
        self._lock = threading.Lock()
        self._pending: set[asyncio.Future[None]] = set()
        self._is_ending = False
        self._thread = threading.Thread(target=self._poll, name="unisights-kafka", daemon=True)
        self._thread.start()

    def produce(
        self, topic: str, message: Mapping[str, Any], acknowledged: asyncio.Future[None]
    ) -> None:
        """Hand a message to the client.

        Args:
            topic: the topic.
            message: the client's arguments: `value`, `key`, `headers`.
            acknowledged: gets the result when the brokers have acknowledged the message, or the
                exception.

        Raises:
            BufferError: the client's queue is full.
            KafkaException: the client refuses the message.
        """
        with self._lock:
            self._pending.add(acknowledged)
        try:
            self.client.produce(topic, on_delivery=partial(self._settle, acknowledged), **message)
        except BaseException as error:
            with self._lock:
                self._pending.discard(acknowledged)
            if isinstance(error, KafkaException) and _is_final(error.args[0]):
                self._discard(self)
            raise

    def close(self, timeout: float) -> None:
        """Wait for the messages under way, for at most `timeout` seconds; then the others fail."""
        with contextlib.suppress(KafkaException):  # a producer that failed for good cannot flush
            if self.client.flush(timeout):
                self.client.purge()
                self.client.flush(POLL_SECONDS)
        self._is_ending = True
        self._thread.join()
        # The client may never report a message that was on its way; its caller must not hang.
        with self._lock:
            pending, self._pending = self._pending, set()
        error = SinkError(f"{self._location}: closed before it was acknowledged")
        for acknowledged in pending:
            self._resolve(acknowledged, error)

    def _poll(self) -> None:
        """Poll for delivery reports, in the thread."""
        while not self._is_ending:
            try:
                self.client.poll(POLL_SECONDS)
            except KafkaException:
                # The client reports a fatal error by raising it here.
                self._discard(self)
            except Exception as error:  # noqa: BLE001  # the thread must outlive any error
                log(
                    logging.ERROR,
                    "sink_failed",
                    "%s: cannot poll for delivery reports",
                    self._location,
                    error=error,
                    sink=self._location,
                )

    def _settle(
        self, acknowledged: asyncio.Future[None], error: KafkaError | None, _message: Message
    ) -> None:
        """Take the delivery report of a message."""
        with self._lock:
            self._pending.discard(acknowledged)
        if error is not None and _is_final(error):
            self._discard(self)
        self._resolve(acknowledged, None if error is None else KafkaException(error))

    def _resolve(self, acknowledged: asyncio.Future[None], error: Exception | None) -> None:
        """Resolve a future from another thread than that of its event loop."""
        try:
            acknowledged.get_loop().call_soon_threadsafe(_set, acknowledged, error)
        except RuntimeError:
            _throttled_log.log(
                logging.WARNING,
                "sink_failed",
                "%s: the event loop of a payload ended before its acknowledgement came",
                self._location,
                sink=self._location,
            )


def _is_final(error: KafkaError) -> bool:
    """Return whether a producer cannot go on after this error."""
    return error.fatal() or error.code() in _FINAL_ERRORS


def _set(acknowledged: asyncio.Future[None], error: Exception | None) -> None:
    if acknowledged.done():
        return  # its caller was cancelled
    if error is None:
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(error)
