"""Joining concurrent calls into batches: each caller waits until its own batch is written."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Generic

from unisights._runtime.log import log
from unisights.errors import SinkError
from unisights.retry import Retry
from unisights.sinks._batch import Batch
from unisights.sinks._writer import Item, Writer, describe


@dataclass(slots=True, eq=False)
class _Entry(Generic[Item]):
    """An item that waits, and the future of its caller."""

    item: Item
    size: int
    since: float
    done: asyncio.Future[None]

    def succeed(self) -> None:
        if not self.done.done():  # its caller may have been cancelled
            self.done.set_result(None)

    def fail(self, error: SinkError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Batcher(Generic[Item]):
    """Joins the items of concurrent callers into batches, on one event loop.

    One batch is written at a time, in the order in which its items came. A batch that cannot be
    written fails its own callers only. If the writer `splits`, such a batch is halved until the
    items that cannot be written are alone.

    Args:
        location: the destination, for messages.
        writer: writes the batches.
        batch: the bounds of a batch.
        retry: how a batch is retried.
        timeout: how long one attempt may take, in seconds.
    """

    def __init__(
        self,
        location: str,
        writer: Writer[Item],
        batch: Batch,
        retry: Retry,
        timeout: float,
    ) -> None:
        self._timeout = timeout
        self._location = location
        self._writer = writer
        self._batch = batch
        self._retry = retry
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Entry[Item]] = deque()
        self._bytes = 0
        self._is_full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: Item, size: int) -> None:
        """Wait until an item is written.

        Args:
            item: the item.
            size: its size in bytes.

        Raises:
            SinkError: the item could not be written, or too much is waiting already.
        """
        if self._waiting and self._bytes + size > self._batch.max_waiting_bytes:
            raise SinkError(f"{self._location}: {self._bytes} bytes are waiting to be stored")
        entry = _Entry(item, size, self._loop.time(), self._loop.create_future())
        self._waiting.append(entry)
        self._bytes += size
        if self._has_full_batch():
            self._is_full.set()
        if self._task is None:
            self._task = self._loop.create_task(self._run())
        await entry.done

    async def open(self) -> None:
        """Connect the writer; if that fails, close it.

        Raises:
            SinkError: the destination cannot be reached or used; the message says why.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._writer.open()
        except Exception as error:
            await self._writer.close()
            raise SinkError(f"{self._location}: {describe(error)}") from error

    async def close(self) -> None:
        """Write the waiting items, and close the writer."""
        while self._task is not None:
            await asyncio.wait([self._task])
        await self._writer.close()

    def _has_full_batch(self) -> bool:
        limits = self._batch
        return len(self._waiting) >= limits.max_payloads or self._bytes >= limits.max_bytes

    async def _run(self) -> None:
        """Write batches until nothing is waiting."""
        entries: list[_Entry[Item]] = []
        try:
            while self._waiting:
                await self._linger()
                entries = self._take()
                await self._write(entries)
        except BaseException as error:
            # The event loop ends. Without a result, the callers would wait for ever.
            for entry in (*entries, *self._waiting):
                entry.fail(SinkError(f"{self._location}: stopped before it was stored: {error!r}"))
            self._waiting.clear()
            self._bytes = 0
            raise
        finally:
            self._task = None

    async def _linger(self) -> None:
        """Wait until the batch is full, or its first item has waited long enough."""
        deadline = self._waiting[0].since + self._batch.linger
        self._is_full.clear()
        if self._has_full_batch() or deadline <= self._loop.time():
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._is_full.wait()
        except TimeoutError:
            return

    def _take(self) -> list[_Entry[Item]]:
        """Remove the next batch from the waiting items."""
        entries: list[_Entry[Item]] = []
        size = 0
        while self._waiting and len(entries) < self._batch.max_payloads:
            if entries and size + self._waiting[0].size > self._batch.max_bytes:
                break
            entry = self._waiting.popleft()
            size += entry.size
            self._bytes -= entry.size
            entries.append(entry)
        return entries

    async def _write(self, entries: list[_Entry[Item]]) -> None:
        """Write a batch, and give its callers the result."""
        try:
            await self._attempt(entries)
        except Exception as error:  # noqa: BLE001  # client libraries raise what they like
            if self._writer.splits and len(entries) > 1 and not self._writer.is_transient(error):
                middle = len(entries) // 2
                await self._write(entries[:middle])
                await self._write(entries[middle:])
                return
            for entry in entries:
                entry.fail(self._failure(error))
        else:
            for entry in entries:
                entry.succeed()

    def _failure(self, error: Exception) -> SinkError:
        failure = SinkError(f"{self._location}: {self._writer.describe(error)}")
        if not self._writer.quotes_payloads(error):
            failure.__cause__ = error  # Tracebacks show it.
        return failure

    async def _attempt(self, entries: list[_Entry[Item]]) -> None:
        """Write a batch, with retries."""
        items = [entry.item for entry in entries]
        attempt = 0
        while True:
            attempt += 1
            try:
                async with asyncio.timeout(self._timeout):
                    await self._writer.write(items)
            except Exception as error:
                if attempt >= self._retry.attempts or not self._writer.is_transient(error):
                    raise
                pause = self._retry.pause_after(attempt)
                self._log_retry(attempt, pause, error)
                await asyncio.sleep(pause)
            else:
                return

    def _log_retry(self, attempt: int, pause: float, error: Exception) -> None:
        log(
            logging.WARNING,
            "sink_failed",
            "%s: attempt %d failed, the next one in %.1f s: %s",
            self._location,
            attempt,
            pause,
            self._writer.describe(error),
            sink=self._location,
            attempt=attempt,
            delay=round(pause, 3),
        )
