"""The batcher by itself, with a writer that the test controls."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from unisights.errors import ConfigurationError, SinkError
from unisights.retry import Retry
from unisights.sinks import Batch
from unisights.sinks._batcher import Batcher
from unisights.sinks._writer import Writer


class StubWriter(Writer[int]):
    """Keeps the batches; raises the errors that it is told to, and for a bad item."""

    def __init__(
        self, *errors: Exception | None, bad: int | None = None, splits: bool = False
    ) -> None:
        self.splits = splits
        self.batches: list[list[int]] = []
        self.errors = list(errors)
        self.bad = bad
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def open(self) -> None:
        await self.is_open.wait()

    async def close(self) -> None:
        self.is_open.set()

    def is_transient(self, error: Exception) -> bool:
        return isinstance(error, ConnectionError | TimeoutError)

    async def write(self, items: Sequence[int]) -> None:
        await self.is_open.wait()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        if self.bad in items:
            raise ValueError(f"{self.bad} is bad")
        self.batches.append(list(items))


def _batcher(
    writer: Writer[int],
    *,
    batch: Batch = Batch(),  # noqa: B008  # it is frozen
    retry: Retry = Retry(attempts=3, pause=0.001),  # noqa: B008
    timeout: float = 10.0,
) -> Batcher[int]:
    return Batcher("there", writer, batch, retry, timeout)


async def _add(batcher: Batcher[int], items: Sequence[int], size: int = 1) -> list[Any]:
    calls = [batcher.add(item, size) for item in items]
    return await asyncio.gather(*calls, return_exceptions=True)


def test_batches_are_bounded() -> None:
    """No batch exceeds its bounds; a payload that is larger than them is a batch of its own."""

    async def main() -> None:
        by_count = StubWriter()
        await _add(_batcher(by_count, batch=Batch(max_payloads=4)), range(10))
        assert by_count.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        by_size = StubWriter()
        batcher = _batcher(by_size, batch=Batch(max_bytes=100))
        await asyncio.gather(*(batcher.add(size, size) for size in (40, 50, 60, 500, 10, 20)))
        assert by_size.batches == [[40, 50], [60], [500], [10, 20]]

    asyncio.run(main())


def test_what_comes_meanwhile_is_the_next_batch() -> None:
    """While one batch is being written, the next one fills, without lingering."""

    async def main() -> None:
        writer = StubWriter()
        batcher = _batcher(writer)
        writer.is_open.clear()
        first = asyncio.ensure_future(batcher.add(0, 1))
        await asyncio.sleep(0.01)
        rest = asyncio.ensure_future(_add(batcher, range(1, 6)))
        await asyncio.sleep(0.01)
        writer.is_open.set()
        await asyncio.gather(first, rest)
        assert writer.batches == [[0], [1, 2, 3, 4, 5]]

    asyncio.run(main())


def test_lingering_joins_what_comes_a_little_later() -> None:
    """With `linger`, a batch waits for more, but not when it is full."""

    async def main() -> None:
        writer = StubWriter()
        batcher = _batcher(writer, batch=Batch(linger=60, max_payloads=2))
        first = asyncio.ensure_future(batcher.add(0, 1))
        await asyncio.sleep(0.05)
        assert writer.batches == []
        await batcher.add(1, 1)
        await first
        assert writer.batches == [[0, 1]]

    asyncio.run(main())


def test_one_batch_that_fails_fails_its_callers_only() -> None:
    """The callers of the batches before and after it get their confirmation."""

    async def main() -> None:
        writer = StubWriter(None, ValueError("no"), None)
        ended = await _add(_batcher(writer, batch=Batch(max_payloads=2)), range(6))
        assert [str(error) if error else None for error in ended] == [
            None,
            None,
            "there: no",
            "there: no",
            None,
            None,
        ]
        assert all(isinstance(error, SinkError | None) for error in ended)

    asyncio.run(main())


def test_a_bad_item_is_found() -> None:
    """A batch that may be split is halved until the bad item is alone."""

    async def main() -> None:
        writer = StubWriter(bad=5, splits=True)
        ended = await _add(_batcher(writer), range(8))
        assert [error is not None for error in ended] == [number == 5 for number in range(8)]
        assert sorted(itertools.chain(*writer.batches)) == [0, 1, 2, 3, 4, 6, 7]

    asyncio.run(main())


def test_what_may_pass_is_tried_again() -> None:
    """After a lost connection there are `attempts` attempts, after other errors only one."""

    async def main() -> None:
        lost = ConnectionError("lost")
        passing = StubWriter(lost, lost)
        assert await _add(_batcher(passing), [1]) == [None]
        lasting = StubWriter(lost, lost, lost)
        (error,) = await _add(_batcher(lasting), [1])
        assert str(error) == "there: lost"
        assert error.__cause__ is lost
        wrong = StubWriter(ValueError("wrong"))
        (error,) = await _add(_batcher(wrong), [1])
        assert str(error) == "there: wrong"

    asyncio.run(main())


def test_a_try_takes_no_longer_than_it_may() -> None:
    """An attempt that takes longer than `timeout` has failed."""

    async def main() -> None:
        writer = StubWriter()
        writer.is_open.clear()
        batcher = _batcher(writer, retry=Retry(attempts=2, pause=0), timeout=0.05)
        (error,) = await _add(batcher, [1])
        assert str(error) == "there: no answer in time"

    asyncio.run(main())


def test_waiting_is_bounded() -> None:
    """Beyond `max_waiting_bytes`, payloads fail at once; those that wait are stored."""

    async def main() -> None:
        writer = StubWriter()
        writer.is_open.clear()
        batcher = _batcher(writer, batch=Batch(max_payloads=1, max_waiting_bytes=150))
        waiting = asyncio.ensure_future(_add(batcher, range(3), size=50))
        await asyncio.sleep(0.01)
        with pytest.raises(SinkError, match="100 bytes are waiting"):
            await batcher.add(9, 60)
        writer.is_open.set()
        assert await waiting == [None] * 3

    asyncio.run(main())


def test_pauses_are_the_backoff_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of the pauses doubles from `pause` up to `max_pause`."""
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    retry = Retry(attempts=9, pause=1, max_pause=5)
    assert [retry.pause_after(attempt) for attempt in range(1, 6)] == [1, 2, 4, 5, 5]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Batch(max_payloads=0),
        lambda: Batch(max_bytes=0),
        lambda: Batch(linger=-1),
        lambda: Retry(attempts=0),
        lambda: Retry(attempts=2, pause=-1),
    ],
)
def test_a_wrong_bound_is_refused(make: Any) -> None:
    """A bound that is out of range is refused at construction."""
    with pytest.raises(ConfigurationError, match=r"Batch|Retry"):
        make()
