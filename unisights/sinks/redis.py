"""A handler that appends to a Redis stream."""

import shlex
from collections.abc import Callable, Sequence
from typing import Any, Self

try:
    import redis.asyncio
    from redis import exceptions
    from redis.backoff import NoBackoff
    from redis.retry import Retry as ClientRetry
    from redis.typing import EncodableT, FieldT
except ImportError as error:
    raise ImportError("RedisStreamSink needs redis-py: pip install 'unisights[redis]'") from error

from unisights.errors import ConfigurationError, SinkError
from unisights.retry import Retry
from unisights.sinks._batch import Batch
from unisights.sinks._batching_sink import TIMEOUT, BatchingSink
from unisights.sinks._records import encode, make_record
from unisights.sinks._redaction import without_passwords
from unisights.sinks._urls import read_flag, split_options
from unisights.sinks._writer import Writer
from unisights.types import UnisightsPayload

Fields = dict[FieldT, EncodableT]

_TRANSIENT = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    TimeoutError,
    OSError,
    # A replica answered, or none is there: after a failover, another server answers.
    exceptions.ReadOnlyError,
    exceptions.MasterDownError,
    exceptions.TryAgainError,
    exceptions.ClusterDownError,
    # Consumers may free memory.
    exceptions.OutOfMemoryError,
)

_SERVER_SAYS = "of pipeline caused error: "
"""In redis-py's message about a failed command, this text separates it from the server's words."""


class RedisStreamSink(BatchingSink[Fields]):
    """Appends each payload to a stream: one entry, confirmed by the server.

    An entry has the fields `content_id`, `received_at`, `clock_skew`, `encrypted`,
    `schema_version` and `data`: strings as they are, all others as JSON. The entries of a batch
    are one transaction. If the server's answer to a batch is lost, the batch is sent again, so an
    entry may be stored twice, with the same `content_id`.

    Redis confirms what it holds in memory. The server's setting `appendfsync` decides whether that
    survives a crash.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as redis-py takes it.
        stream: the stream's key.
        maxlen: the number of entries that the stream keeps; older ones are dropped, read or not.
            None keeps all, up to the limit of the server's memory.
        approximate: let the server keep a few more entries than `maxlen`, which costs it much less.
        batch: the bounds of a batch.
        retry: how a batch is retried; 4 attempts, if not given.
        timeout: how long one attempt may take, in seconds.

    Raises:
        ConfigurationError: a value is out of range, or redis-py refuses the URL.
        ImportError: redis-py is not installed.
    """

    def __init__(
        self,
        url: str,
        stream: str = "unisights",
        *,
        maxlen: int | None = None,
        approximate: bool = True,
        batch: Batch | None = None,
        retry: Retry | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        if not stream:
            raise ConfigurationError("RedisStreamSink: stream must be a key")
        if maxlen is not None and maxlen < 1:
            raise ConfigurationError("RedisStreamSink: maxlen must be a positive number, or None")
        super().__init__(f"{without_passwords(url)} stream {stream}", batch, retry, timeout)
        self._url = url
        self._stream = stream
        self._maxlen = maxlen
        self._approximate = approximate
        try:
            self._new_client()
        except ValueError as error:
            raise ConfigurationError(f"RedisStreamSink: {error}") from None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the sink of a URL such as `redis://HOST/0?stream=KEY&maxlen=1000000`.

        The query may have `stream`, `maxlen` and `approximate`; redis-py gets the rest of the URL.

        Raises:
            ConfigurationError: a value is out of range, or redis-py refuses the URL.
        """
        kinds: dict[str, Callable[[str], Any]] = {
            "stream": str,
            "maxlen": int,
            "approximate": read_flag,
        }
        base, options = split_options(url, kinds)
        return cls(base, **options)

    @property
    def inspect_command(self) -> str:
        """A shell command that shows the newest entry of the stream."""
        url, stream = shlex.quote(without_passwords(self._url)), shlex.quote(self._stream)
        return f"redis-cli -u {url} XREVRANGE {stream} + - COUNT 1"

    def _new_client(self) -> redis.asyncio.Redis:
        return redis.asyncio.Redis.from_url(
            self._url,
            # The batcher retries, not the client.
            retry=ClientRetry(NoBackoff(), 0),
            # Shorter than the attempt may take: then the client itself closes the connection.
            socket_connect_timeout=self._timeout * 0.8,
            socket_timeout=self._timeout * 0.8,
            socket_keepalive=True,
            client_name="unisights",
        )

    def _prepare(self, payload: UnisightsPayload) -> tuple[Fields, int]:
        fields: dict[FieldT, bytes] = {
            key: value.encode() if isinstance(value, str) else encode(value)
            for key, value in make_record(payload).items()
        }
        return {**fields}, len(fields["data"])

    def _make_writer(self) -> "_StreamWriter":
        return _StreamWriter(self._new_client(), self._stream, self._maxlen, self._approximate)


class _StreamWriter(Writer[Fields]):
    def __init__(
        self,
        client: redis.asyncio.Redis,
        stream: str,
        maxlen: int | None,
        approximate: bool,  # noqa: FBT001  # the client's own option
    ) -> None:
        self._client = client
        self._stream = stream
        self._maxlen = maxlen
        self._approximate = approximate

    async def open(self) -> None:
        kind = await self._client.type(self._stream)
        if kind not in {b"stream", b"none", "stream", "none"}:
            found = kind.decode() if isinstance(kind, bytes) else kind
            raise SinkError(f"the key {self._stream!r} holds no stream, but a {found}")

    async def write(self, items: Sequence[Fields]) -> None:
        async with self._client.pipeline(transaction=True) as pipeline:
            for fields in items:
                pipeline.xadd(
                    self._stream, fields, maxlen=self._maxlen, approximate=self._approximate
                )
            await pipeline.execute()

    async def close(self) -> None:
        await self._client.aclose()

    def quotes_payloads(self, error: Exception) -> bool:
        # The client adds the command that failed, which holds the payload, to the server's words.
        return isinstance(error, exceptions.ResponseError)

    def describe(self, error: Exception) -> str:
        if not self.quotes_payloads(error):
            return super().describe(error)
        _command, marker, answer = super().describe(error).rpartition(_SERVER_SAYS)
        # Another version of the client may use other words: then nothing of them is shown.
        return answer if marker else type(error).__name__

    def is_transient(self, error: Exception) -> bool:
        return isinstance(error, _TRANSIENT) and not isinstance(
            error, exceptions.AuthenticationError | exceptions.AuthorizationError
        )
