"""Which payloads were accepted lately, in the spool: for all processes of the host, and the next.

Its statements belong inside a transaction of the spool's, beside what they are about.
"""

import sqlite3
from collections.abc import Collection

from unisights._spool.clock import boot_clock

TABLE = """
CREATE TABLE seen (
    id         INTEGER PRIMARY KEY,            -- in the order of coming
    content_id TEXT NOT NULL UNIQUE,
    until      REAL NOT NULL                   -- seconds since the host was started
);
"""

MAX_SEEN = 1_000_000
"""At most so many payloads are remembered, in about 120 MB. What falls out is not recognised."""

_CHUNK = 64


class Seen:
    """The content ids that were accepted within some seconds.

    Args:
        connection: the spool's.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._execute_many = connection.executemany

    def cap(self, seconds: float) -> None:
        """Forget soon what would be remembered for longer than the window.

        Such is left by an earlier start of the host, or by a longer window.
        """
        latest = boot_clock() + seconds
        self._execute("UPDATE seen SET until = ? WHERE until > ?", (latest, latest))

    def known(self, content_ids: Collection[str]) -> set[str]:
        """Those that were accepted within the window."""
        now = boot_clock()
        known: set[str] = set()
        wanted = list(content_ids)
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            found = self._execute(
                f"SELECT content_id FROM seen WHERE until > ? AND content_id IN ({marks})",  # noqa: S608
                (now, *chunk),
            )
            known.update(content_id for (content_id,) in found.fetchall())
        return known

    def add(self, content_ids: Collection[str], seconds: float) -> None:
        """Remember what is stored in this transaction for so many seconds."""
        until = boot_clock() + seconds
        self._execute_many(
            "INSERT OR REPLACE INTO seen (content_id, until) VALUES (?, ?)",
            [(content_id, until) for content_id in content_ids],
        )

    def has_old(self) -> bool:
        """Whether the oldest has had its time; needs no transaction."""
        found = self._execute("SELECT until FROM seen ORDER BY id LIMIT 1").fetchone()
        return found is not None and found[0] <= boot_clock()

    def purge(self, count: int) -> None:
        """Forget what has had its time, and what there are too many of: at most so many of them."""
        self._execute(
            "DELETE FROM seen WHERE id IN (SELECT id FROM seen ORDER BY id LIMIT ?) "
            "AND (until <= ? OR id <= (SELECT max(id) FROM seen) - ?)",
            (count, boot_clock(), MAX_SEEN),
        )
