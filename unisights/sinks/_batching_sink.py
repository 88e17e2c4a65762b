"""The base of the sinks that write batches through a connection."""

from abc import abstractmethod
from typing import Any, Generic

from unisights._checks import MAX_SECONDS, check_seconds
from unisights.errors import ConfigurationError
from unisights.retry import Retry
from unisights.sinks._batch import Batch
from unisights.sinks._batcher import Batcher
from unisights.sinks._per_loop import PerLoop
from unisights.sinks._sink import Sink
from unisights.sinks._writer import Item, Writer
from unisights.types import UnisightsPayload

DEFAULT_RETRY = Retry(attempts=4, pause=0.1, max_pause=2.0)
"""How sinks retry: long enough for a restart of the server, short enough for a waiting request."""

NO_RETRY = Retry(attempts=1)

TIMEOUT = 10.0
"""How long one attempt may take, in seconds."""

UNLIMITED = float(MAX_SECONDS)
"""The timeout of what cannot be interrupted."""


class BatchingSink(Sink, Generic[Item]):
    """A sink whose concurrent calls are written in batches, on one connection per event loop.

    Args:
        location: the destination in words for people, without passwords.
        batch: the bounds of a batch.
        retry: how a batch is retried.
        timeout: how long one attempt may take, in seconds.
    """

    def __init__(
        self, location: str, batch: Batch | None, retry: Retry | None, timeout: float
    ) -> None:
        check_seconds("timeout", timeout)
        if not timeout:
            raise ConfigurationError("timeout must be more than 0 seconds")
        self.location = location
        self._batch = batch or Batch()
        self._retry = retry or DEFAULT_RETRY
        self._timeout = timeout
        self._batchers: PerLoop[Batcher[Item]] = PerLoop(self._make_batcher, Batcher.close)

    async def __call__(self, payload: UnisightsPayload, _request: Any) -> None:
        item, size = self._prepare(payload)
        await self._batchers.get().add(item, size)

    async def open(self) -> None:
        await self._batchers.get().open()

    async def close(self) -> None:
        await self._batchers.close()

    @abstractmethod
    def _prepare(self, payload: UnisightsPayload) -> tuple[Item, int]:
        """A payload in the form in which it is written, and its size in bytes."""

    @abstractmethod
    def _make_writer(self) -> Writer[Item]:
        """A writer for the running loop."""

    def _make_batcher(self) -> Batcher[Item]:
        return Batcher(self.location, self._make_writer(), self._batch, self._retry, self._timeout)
