"""What the sinks with a connection share: batches, retries, one connection for each event loop."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from unisights.errors import SinkError
from unisights.sinks._batching import Batch, Batcher, Retry, describe
from unisights.sinks._loops import PerLoop
from unisights.types import UnisightsPayload

Item = TypeVar("Item")


class Writer(ABC, Generic[Item]):
    """A connection to a destination, on one event loop; it connects when it is first needed."""

    splits = False
    """Whether a batch may fail because of one of its items; then `write` is all or nothing."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, unless that is done; make what the destination lacks."""

    @abstractmethod
    async def write(self, items: Sequence[Item]) -> None:
        """Write a batch, and return when the destination has confirmed; connect if need be."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect."""

    @abstractmethod
    def is_transient(self, error: Exception) -> bool:
        """Whether what was raised may pass."""

    def describe(self, error: Exception) -> str:
        """What was raised, in words that hold nothing of the payloads."""
        return describe(error)


class BatchingSink(ABC, Generic[Item]):
    """A handler whose concurrent calls are written in batches.

    Args:
        name: the destination, for messages; without secrets.
        batch: the bounds of a batch.
        retry: how often a batch is tried.
    """

    def __init__(self, name: str, batch: Batch | None, retry: Retry | None) -> None:
        self._name = name
        self._batch = batch or Batch()
        self._retry = retry or Retry()
        self._lines: PerLoop[_Line[Item]] = PerLoop(self._connect, _close_line)

    async def __call__(self, payload: UnisightsPayload, _request: Any) -> None:
        """Store a payload; return when the destination has confirmed it.

        Raises:
            SinkError: it was not stored, as far as can be known.
        """
        item, size = self._prepare(payload)
        await self._lines.get().batcher.add(item, size)

    async def open(self) -> None:
        """Connect now rather than at the first payload.

        Raises:
            SinkError: the destination cannot be reached or used; the message says why.
        """
        line = self._lines.get()
        try:
            async with asyncio.timeout(self._retry.timeout):
                await line.writer.open()
        except Exception as error:
            await line.writer.close()
            raise SinkError(f"{self._name}: {describe(error)}") from error

    async def close(self) -> None:
        """Store what is waiting, and disconnect; a later payload connects again."""
        await self._lines.close()

    @abstractmethod
    def _prepare(self, payload: UnisightsPayload) -> tuple[Item, int]:
        """A payload as it is written, and its size in bytes."""

    @abstractmethod
    def _make_writer(self) -> Writer[Item]:
        """A writer for the running loop."""

    def _connect(self) -> "_Line[Item]":
        writer = self._make_writer()
        batcher = Batcher(
            self._name,
            writer.write,
            is_transient=writer.is_transient,
            batch=self._batch,
            retry=self._retry,
            splits=writer.splits,
            words=writer.describe,
        )
        return _Line(writer, batcher)


class _Line(Generic[Item]):
    """A writer with the batcher in front of it."""

    def __init__(self, writer: Writer[Item], batcher: Batcher[Item]) -> None:
        self.writer = writer
        self.batcher = batcher


async def _close_line(line: _Line[Item]) -> None:
    await line.batcher.drain()
    await line.writer.close()
