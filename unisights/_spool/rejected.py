"""The spool's rejected records: refused bodies, and bodies of which events were quarantined."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Self

import msgspec

from unisights._schema.content_id import digest
from unisights._spool.requests import write_request
from unisights._spool.statements import CHUNK, literals, marks
from unisights.rejection import Rejection, describe_problems

COLUMNS = (
    *("id", "received_at", "content_id", "request", "raw", "reason", "status"),
    *("schema_version", "problems", "quarantined", "size"),
)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A rejected record as it is stored; a column for each field."""

    received_at: int
    content_id: str
    request: str
    raw: bytes
    reason: str
    status: int | None
    schema_version: str
    problems: str
    quarantined: str

    @classmethod
    def of(cls, rejection: Rejection) -> Self:
        """Return what is stored of a rejection."""
        return cls(
            rejection.received_at,
            digest(rejection.raw),
            write_request(rejection.request),
            rejection.raw,
            rejection.reason,
            rejection.status,
            rejection.schema_version,
            _encode(describe_problems(rejection.problems)).decode(),
            _encode(rejection.quarantined).decode(),
        )

    @property
    def size(self) -> int:
        """How much of `rejected_bytes` it uses, in bytes."""
        texts = (self.request, self.problems, self.quarantined)
        return len(self.raw) + sum(map(len, texts))

    @property
    def indexes(self) -> list[int]:
        """The indexes of the events that were quarantined; empty if the whole body was refused."""
        found: list[int] = msgspec.json.decode(self.quarantined)
        return found


class RejectedRecords:
    """The rejected records of a spool, on its connection.

    All methods but `read` belong inside a transaction of the spool.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, rows: Sequence[RejectedRow], *, max_bytes: int) -> None:
        """Store records, and evict the oldest for which there is no room any more."""
        (first,) = self._connection.execute("SELECT next_id FROM state").fetchone()
        for row_id, row in enumerate(rows, first):
            self.put(row_id, row)
        self._connection.execute("UPDATE state SET next_id = ?", (first + len(rows),))
        self._evict(max_bytes)

    def put(self, row_id: int, row: RejectedRow) -> None:
        """Store a record by its number."""
        self._connection.execute(
            f"INSERT INTO rejected VALUES ({marks(len(COLUMNS))})",  # noqa: S608  # nothing but marks
            (row_id, *astuple(row), row.size),
        )

    def take(self, row_id: int, row: RejectedRow) -> bool:
        """Delete a record; return False if it is not there any more, or not as it was read."""
        done = self._connection.execute(
            "DELETE FROM rejected WHERE id = ? AND quarantined = ?", (row_id, row.quarantined)
        )
        return done.rowcount == 1

    def read(self, ids: Collection[int] | None = None) -> Iterator[tuple[int, RejectedRow]]:
        """Return records, all or some, the first stored first; they are read a few at a time."""
        columns = ", ".join(COLUMNS[:-1])
        wanted = "" if ids is None else f"AND id IN ({literals(ids)})"
        last = 0
        while found := self._connection.execute(
            f"SELECT {columns} FROM rejected WHERE id > ? {wanted} ORDER BY id LIMIT ?",  # noqa: S608
            (last, CHUNK),
        ).fetchall():
            for row_id, *values in found:
                last = row_id
                yield row_id, RejectedRow(*values)

    def _evict(self, max_bytes: int) -> None:
        execute = self._connection.execute
        (total,) = execute("SELECT rejected_bytes FROM state").fetchone()
        while total > max_bytes:
            # The latest stays, however large it is.
            oldest = execute(
                "SELECT id, size FROM rejected WHERE id < (SELECT max(id) FROM rejected) "
                "ORDER BY id LIMIT ?",
                (CHUNK,),
            ).fetchall()
            if not oldest:
                return
            for row_id, size in oldest:
                if total <= max_bytes:
                    return
                execute("DELETE FROM rejected WHERE id = ?", (row_id,))
                total -= size
