"""Reports about a spool, for people."""

from collections.abc import Collection, Iterator
from typing import Any, Literal

from unisights._spool import clock
from unisights._spool.statements import CHUNK, literals
from unisights._sqlite.connection import SQLiteConnection

State = Literal["waiting", "dead", "rejected"]
"""What a record is: a payload that waits for delivery, a dead letter, or a rejection."""

_COLUMNS = (
    *("id", "received_at", "session_id", "content_id", "attempts", "error", "died_at"),
    *("request", "raw", "quarantined"),
)


class Reports:
    """Reads a spool, without a transaction, so that no process has to wait.

    Args:
        connection: the spool's.
    """

    def __init__(self, connection: SQLiteConnection) -> None:
        self._connection = connection

    def count_owned(self, ids: Collection[int] | None = None) -> int:
        """Return the number of waiting payloads, all or some, that have an owner."""
        found = self._connection.execute(
            f"SELECT count(*) FROM waiting w WHERE owner != 0 {_among(ids)}"  # noqa: S608
        )
        (count,) = found.fetchone()
        return int(count)

    def ids(self, state: State, ids: Collection[int] | None = None) -> list[int]:
        """Return the numbers of all records of a state, or of those of some that are in it."""
        found = self._connection.execute(
            f"SELECT id FROM {state} w WHERE true {_among(ids)} ORDER BY id"  # noqa: S608
        )
        return [row_id for (row_id,) in found.fetchall()]

    def longest_wait(self) -> float | None:
        """Return for how long the oldest payload has been waiting, in seconds; None without one."""
        (since,) = self._connection.execute("SELECT min(since) FROM waiting").fetchone()
        return None if since is None else max(0.0, clock.boot_clock() - float(since))

    def payloads(
        self, state: Literal["waiting", "dead"], ids: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Return waiting payloads or dead letters, all or some, the first stored first.

        They are read a few at a time, so that SQLite can empty its WAL in between.
        """
        died_at = "NULL AS died_at" if state == "waiting" else "died_at"
        last = 0
        while True:
            found = self._connection.execute(
                f"SELECT w.id, received_at, session_id, content_id, attempts, error, {died_at}, "  # noqa: S608
                f"request, raw, quarantined FROM {state} w JOIN payloads USING (id) WHERE w.id > ? "
                f"{_among(ids)} ORDER BY w.id LIMIT ?",
                (last, CHUNK),
            ).fetchall()
            if not found:
                return
            last = found[-1][0]
            for values in found:
                yield dict(zip(_COLUMNS, values, strict=True))


def _among(ids: Collection[int] | None) -> str:
    return "" if ids is None else f"AND w.id IN ({literals(ids)})"
