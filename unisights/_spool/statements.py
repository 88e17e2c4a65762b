"""Statements about many rows at once.

The interpreter's lock is released and taken again around each statement, which is slow while other
threads are at work: the fewer statements, the better.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

CHUNK = 64
"""The greatest number of rows in one statement."""


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Split items by powers of two: so there are few different statements, and they stay cached."""
    start, size = 0, CHUNK
    while start < len(items):
        while size > len(items) - start:
            size //= 2
        yield items[start : start + size]
        start += size


def marks(count: int) -> str:
    """Return placeholders for a number of values."""
    return ",".join("?" * count)


def literals(ids: Iterable[int]) -> str:
    """Return numbers as they are written in a statement; there may be any number of them."""
    return ",".join(str(int(row_id)) for row_id in ids)
