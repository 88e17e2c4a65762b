"""Reports about a spool, for people."""

from collections.abc import Iterator
from typing import Any, Literal

from unisights._runtime.sqlite_connection import SQLiteConnection
from unisights._spool import clock
from unisights._spool.statements import CHUNK

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

    def count_owned(self) -> int:
        """Return the number of waiting payloads that have an owner."""
        found = self._connection.execute("SELECT count(*) FROM waiting WHERE owner != 0")
        (count,) = found.fetchone()
        return int(count)

    def longest_wait(self) -> float | None:
        """Return for how long the oldest payload has been waiting, in seconds; None without one."""
        (since,) = self._connection.execute("SELECT min(since) FROM waiting").fetchone()
        return None if since is None else max(0.0, clock.boot_clock() - float(since))

    def payloads(self, state: Literal["waiting", "dead"]) -> Iterator[dict[str, Any]]:
        """Return all waiting payloads or all dead letters, the first stored first.

        They are read a few at a time, so that SQLite can empty its WAL in between.
        """
        died_at = "NULL AS died_at" if state == "waiting" else "died_at"
        last = 0
        while True:
            found = self._connection.execute(
                f"SELECT w.id, received_at, session_id, content_id, attempts, error, {died_at}, "  # noqa: S608
                f"request, raw, quarantined FROM {state} w JOIN payloads USING (id) WHERE w.id > ? "
                "ORDER BY w.id LIMIT ?",
                (last, CHUNK),
            ).fetchall()
            if not found:
                return
            last = found[-1][0]
            for values in found:
                yield dict(zip(_COLUMNS, values, strict=True))
