"""Joining concurrent calls into batches: each caller waits until its own batch is stored."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from unisights._runtime.log import log
from unisights.errors import ConfigurationError, SinkError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is stored at once.

    Whatever arrives while one batch is being stored makes up the next, so that batches grow with
    the load even if nobody lingers.

    Attributes:
        max_payloads: how many payloads a batch has at most.
        max_bytes: how many bytes a batch has at most, as they are written; one payload alone may
            have more.
        linger: how long a batch that is not full waits for more, in seconds.
        max_waiting_bytes: how many bytes may wait; beyond that, payloads fail at once.

    Raises:
        ConfigurationError: a value cannot work.
    """

    max_payloads: int = 500
    max_bytes: int = 1024 * 1024
    linger: float = 0.0
    max_waiting_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in ("max_payloads", "max_bytes", "max_waiting_bytes"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"Batch: {name} must be a positive number")
        if not 0 <= self.linger <= 60:
            raise ConfigurationError("Batch: linger must be a number of seconds from 0 to 60")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a batch is tried that failed for a reason that may pass, such as a lost connection.

    The pauses double from try to try, up to a limit; each is drawn at random between half of that
    and all of it, so that processes that failed together do not come back together.

    Attributes:
        attempts: how often it is tried, the first time included.
        pause: the first pause, in seconds.
        max_pause: the longest pause, in seconds.
        timeout: how long one try may take, in seconds.

    Raises:
        ConfigurationError: a value cannot work.
    """

    attempts: int = 4
    pause: float = 0.1
    max_pause: float = 2.0
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError("Retry: attempts must be a positive number")
        if self.pause < 0 or self.max_pause < 0 or self.timeout <= 0:
            raise ConfigurationError("Retry: pauses and timeout must be numbers of seconds")

    def pause_after(self, attempt: int) -> float:
        """The pause after the attempt of this number, counted from 1, in seconds."""
        longest = min(self.max_pause, self.pause * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


@dataclass(slots=True, eq=False)
class _Entry(Generic[Item]):
    item: Item
    size: int
    since: float
    done: asyncio.Future[None]


class Batcher(Generic[Item]):
    """Joins the items of concurrent callers into batches, on one event loop.

    One batch is stored at a time, in the order in which its items came. A batch that cannot be
    stored fails its own callers only; if `splits`, it is halved first, until what cannot be stored
    is alone.

    Args:
        name: the destination, for messages.
        store: stores a batch, all or nothing; returns when the destination has confirmed.
        is_transient: whether what `store` raised may pass.
        batch: the bounds of a batch.
        retry: how often a batch is tried.
        splits: whether a batch may fail because of one of its items.
        words: an exception in words that hold nothing of the items.
    """

    def __init__(
        self,
        name: str,
        store: Callable[[Sequence[Item]], Awaitable[None]],
        *,
        is_transient: Callable[[Exception], bool],
        batch: Batch,
        retry: Retry,
        splits: bool,
        words: Callable[[Exception], str] | None = None,
    ) -> None:
        self._name = name
        self._store = store
        self._is_transient = is_transient
        self._batch = batch
        self._retry = retry
        self._splits = splits
        self._words = words or describe
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Entry[Item]] = deque()
        self._bytes = 0
        self._is_full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: Item, size: int) -> None:
        """Wait until an item is stored.

        Raises:
            SinkError: it could not be stored, or too much is waiting already.
        """
        if self._waiting and self._bytes + size > self._batch.max_waiting_bytes:
            raise SinkError(f"{self._name}: {self._bytes} bytes are waiting to be stored already")
        entry = _Entry(item, size, self._loop.time(), self._loop.create_future())
        self._waiting.append(entry)
        self._bytes += size
        if self._has_a_batch():
            self._is_full.set()
        if self._task is None:
            self._task = self._loop.create_task(self._run())
        await entry.done

    async def drain(self) -> None:
        """Wait until nothing is waiting."""
        while self._task is not None:
            await asyncio.wait([self._task])

    def _has_a_batch(self) -> bool:
        limits = self._batch
        return len(self._waiting) >= limits.max_payloads or self._bytes >= limits.max_bytes

    async def _run(self) -> None:
        entries: list[_Entry[Item]] = []
        try:
            while self._waiting:
                await self._linger()
                entries = self._take()
                await self._deliver(entries)
        except BaseException as error:
            # The loop ends: nobody may wait for ever.
            for entry in (*entries, *self._waiting):
                _fail(entry, SinkError(f"{self._name}: given up: {error!r}"))
            self._waiting.clear()
            self._bytes = 0
            raise
        finally:
            self._task = None

    async def _linger(self) -> None:
        """Wait for the batch to fill up, from the arrival of its first item on."""
        deadline = self._waiting[0].since + self._batch.linger
        self._is_full.clear()
        if self._has_a_batch() or deadline <= self._loop.time():
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._is_full.wait()
        except TimeoutError:
            return

    def _take(self) -> list[_Entry[Item]]:
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

    async def _deliver(self, entries: list[_Entry[Item]]) -> None:
        try:
            await self._try(entries)
        except Exception as error:  # noqa: BLE001  # clients raise what they like; callers get it
            if self._splits and len(entries) > 1 and not self._is_transient(error):
                middle = len(entries) // 2
                await self._deliver(entries[:middle])
                await self._deliver(entries[middle:])
                return
            words = self._words(error)
            for entry in entries:
                failure = SinkError(f"{self._name}: {words}")
                if words == describe(error):
                    # Tracebacks show it; what is to be kept back must not come out there.
                    failure.__cause__ = error
                _fail(entry, failure)
        else:
            for entry in entries:
                if not entry.done.done():  # its caller may have been cancelled
                    entry.done.set_result(None)

    async def _try(self, entries: list[_Entry[Item]]) -> None:
        items = [entry.item for entry in entries]
        attempt = 0
        while True:
            attempt += 1
            try:
                async with asyncio.timeout(self._retry.timeout):
                    await self._store(items)
            except Exception as error:
                if attempt >= self._retry.attempts or not self._is_transient(error):
                    raise
                pause = self._retry.pause_after(attempt)
                log(
                    logging.WARNING,
                    "sink_failed",
                    "%s: attempt %d failed, the next one in %.1f s: %s",
                    self._name,
                    attempt,
                    pause,
                    self._words(error),
                    sink=self._name,
                    attempt=attempt,
                    delay=round(pause, 3),
                )
                await asyncio.sleep(pause)
            else:
                return


def _fail(entry: _Entry[Item], error: SinkError) -> None:
    if not entry.done.done():
        entry.done.set_exception(error)


def describe(error: Exception) -> str:
    """An exception in one line; some have no message."""
    message = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and not message:
        return "no answer in time"
    return message or type(error).__name__
