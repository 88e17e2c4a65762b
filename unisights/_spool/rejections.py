"""The rejections in the spool: refused bodies, and bodies of which events were quarantined."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Self

import msgspec

from unisights._schema.content_id import digest
from unisights._spool.ids import skip_id, take_ids
from unisights._spool.rows import size_of
from unisights._spool.statements import CHUNK, literals, marks
from unisights._spool.stored_requests import write_request
from unisights._sqlite.connection import SQLiteConnection
from unisights.rejection import Rejection, describe_problems

COLUMNS = (
    *("id", "received_at", "content_id", "request", "raw", "reason", "status"),
    *("schema_version", "problems", "quarantined", "size"),
)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class RejectionRow:
    """A rejection as it is stored; a column for each field."""

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
        """Return the row of a rejection."""
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
        """The bytes of `rejected_bytes` that it uses."""
        return size_of(self.raw, self.request, self.problems, self.quarantined)

    @property
    def indexes(self) -> list[int]:
        """The indexes of the events that were quarantined; empty if the whole body was refused."""
        found: list[int] = msgspec.json.decode(self.quarantined)
        return found


class Rejections:
    """The rejections in a spool. Methods that change something belong inside a transaction.

    Args:
        connection: the spool's.
    """

    def __init__(self, connection: SQLiteConnection) -> None:
        self._connection = connection

    def insert(self, rows: Sequence[RejectionRow], *, max_bytes: int) -> None:
        """Store rejections, and evict the oldest for which there is no room any more."""
        for row_id, row in zip(take_ids(self._connection, len(rows)), rows, strict=True):
            self.put(row_id, row)
        self._evict(max_bytes)

    def put(self, row_id: int, row: RejectionRow) -> None:
        """Store a rejection under a number."""
        self._connection.execute(
            f"INSERT INTO rejected VALUES ({marks(len(COLUMNS))})",  # noqa: S608  # nothing but marks
            (row_id, *astuple(row), row.size),
        )

    def restore(self, row_id: int, row: RejectionRow) -> None:
        """Store a rejection of a corrupt spool under its old number."""
        self.put(row_id, row)
        skip_id(self._connection, row_id)

    def take(self, row_id: int, row: RejectionRow) -> bool:
        """Delete a rejection; return False if it is not there any more, or not as it was read."""
        done = self._connection.execute(
            "DELETE FROM rejected WHERE id = ? AND quarantined = ?", (row_id, row.quarantined)
        )
        return done.rowcount == 1

    def delete(self, ids: Collection[int]) -> None:
        """Delete rejections."""
        self._connection.execute(f"DELETE FROM rejected WHERE id IN ({literals(ids)})")  # noqa: S608

    def read(self, ids: Collection[int] | None = None) -> Iterator[tuple[int, RejectionRow]]:
        """Return rejections, all or some, the first stored first; a few are read at a time."""
        columns = ", ".join(COLUMNS[:-1])
        wanted = "" if ids is None else f"AND id IN ({literals(ids)})"
        last = 0
        while found := self._connection.execute(
            f"SELECT {columns} FROM rejected WHERE id > ? {wanted} ORDER BY id LIMIT ?",  # noqa: S608
            (last, CHUNK),
        ).fetchall():
            for row_id, *values in found:
                last = row_id
                yield row_id, RejectionRow(*values)

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
