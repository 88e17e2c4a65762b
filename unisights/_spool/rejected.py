"""The spool's rejected records: what was refused, or quarantined, for people to look at."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Self

import msgspec

from unisights._schema.identity import digest
from unisights.rejection import Rejection, describe_problems

TABLES = """
CREATE TABLE rejected (
    id             INTEGER PRIMARY KEY,        -- no payload has it, nor had it
    received_at    INTEGER NOT NULL,           -- ms since the Unix epoch
    content_id     TEXT NOT NULL,
    request        TEXT NOT NULL,              -- RequestInfo, JSON
    raw            BLOB NOT NULL,              -- the request's body as received
    reason         TEXT NOT NULL,
    status         INTEGER,                    -- NULL: not refused, some events were quarantined
    schema_version TEXT NOT NULL,
    problems       TEXT NOT NULL,              -- JSON
    quarantined    TEXT NOT NULL,              -- the events' indexes, JSON; empty: the whole body
    size           INTEGER NOT NULL            -- bytes of all that
);
CREATE TRIGGER rejected_came AFTER INSERT ON rejected BEGIN
    UPDATE state SET rejected = rejected + 1, rejected_bytes = rejected_bytes + new.size;
END;
CREATE TRIGGER rejected_gone AFTER DELETE ON rejected BEGIN
    UPDATE state SET rejected = rejected - 1, rejected_bytes = rejected_bytes - old.size;
END;
"""

COLUMNS = (
    *("id", "received_at", "content_id", "request", "raw", "reason", "status"),
    *("schema_version", "problems", "quarantined", "size"),
)

_CHUNK = 64
"""So many records are read, or dropped, at a time."""

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
    def of(cls, rejection: Rejection, request: str) -> Self:
        """What is stored of a rejection, whose request is given as JSON."""
        return cls(
            rejection.received_at,
            digest(rejection.raw),
            request,
            rejection.raw,
            rejection.reason,
            rejection.status,
            rejection.schema_version,
            _encode(describe_problems(rejection.problems)).decode(),
            _encode(rejection.quarantined).decode(),
        )

    @property
    def size(self) -> int:
        """What it weighs against the bound, in bytes."""
        texts = (self.request, self.problems, self.quarantined)
        return len(self.raw) + sum(map(len, texts))

    @property
    def indexes(self) -> list[int]:
        """The indexes of the events that were quarantined; empty: the whole body was refused."""
        found: list[int] = msgspec.json.decode(self.quarantined)
        return found


class RejectedRecords:
    """The rejected records of a spool, on its connection.

    All methods but `read` belong inside a transaction of the spool.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, rows: Sequence[RejectedRow], *, max_bytes: int) -> None:
        """Store records, and drop the oldest for which there is no room any more."""
        (first,) = self._connection.execute("SELECT next_id FROM state").fetchone()
        for row_id, row in enumerate(rows, first):
            self.put(row_id, row)
        self._connection.execute("UPDATE state SET next_id = ?", (first + len(rows),))
        self._trim(max_bytes)

    def put(self, row_id: int, row: RejectedRow) -> None:
        """Store a record by its number."""
        marks = ",".join("?" * len(COLUMNS))
        self._connection.execute(
            f"INSERT INTO rejected VALUES ({marks})",  # noqa: S608  # nothing but marks
            (row_id, *astuple(row), row.size),
        )

    def take(self, row_id: int, row: RejectedRow) -> bool:
        """Take a record out; False if it is not there any more, or not as it was read."""
        done = self._connection.execute(
            "DELETE FROM rejected WHERE id = ? AND quarantined = ?", (row_id, row.quarantined)
        )
        return done.rowcount == 1

    def read(self, ids: Collection[int] | None = None) -> Iterator[tuple[int, RejectedRow]]:
        """All records, or those, the first stored first, a few at a time."""
        columns = ", ".join(COLUMNS[:-1])
        wanted = "" if ids is None else f"AND id IN ({','.join(str(int(i)) for i in ids)})"
        last = 0
        while found := self._connection.execute(
            f"SELECT {columns} FROM rejected WHERE id > ? {wanted} ORDER BY id LIMIT ?",  # noqa: S608
            (last, _CHUNK),
        ).fetchall():
            for row_id, *values in found:
                last = row_id
                yield row_id, RejectedRow(*values)

    def _trim(self, max_bytes: int) -> None:
        execute = self._connection.execute
        (total,) = execute("SELECT rejected_bytes FROM state").fetchone()
        while total > max_bytes:
            # The latest stays, however large it is.
            oldest = execute(
                "SELECT id, size FROM rejected WHERE id < (SELECT max(id) FROM rejected) "
                "ORDER BY id LIMIT ?",
                (_CHUNK,),
            ).fetchall()
            if not oldest:
                return
            for row_id, size in oldest:
                if total <= max_bytes:
                    return
                execute("DELETE FROM rejected WHERE id = ?", (row_id,))
                total -= size
