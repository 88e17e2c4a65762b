"""The duplicate window of durable delivery: shared by all processes on the machine, and kept.

The statements belong inside a transaction of the spool.
"""

from collections.abc import Collection

from unisights._spool import clock
from unisights._spool.statements import chunks, marks
from unisights._sqlite.connection import SQLiteConnection

MAX_SEEN = 1_000_000
"""The greatest number of content ids, which take about 120 MB; beyond, the oldest are deleted."""


class DuplicateWindow:
    """The content ids that were accepted within the window.

    Args:
        connection: the spool's.
    """

    def __init__(self, connection: SQLiteConnection) -> None:
        self._execute = connection.execute
        self._execute_many = connection.executemany

    def cap(self, seconds: float) -> None:
        """Let no content id be known for longer than the window, in seconds, from now on.

        An earlier start of the machine, or a longer window, may have left such rows.
        """
        latest = clock.boot_clock() + seconds
        self._execute("UPDATE seen SET until = ? WHERE until > ?", (latest, latest))

    def known(self, content_ids: Collection[str]) -> set[str]:
        """Return those of the content ids that were accepted within the window."""
        now = clock.boot_clock()
        known: set[str] = set()
        for chunk in chunks(list(content_ids)):
            found = self._execute(
                "SELECT content_id FROM seen WHERE until > ? "  # noqa: S608
                f"AND content_id IN ({marks(len(chunk))})",
                (now, *chunk),
            )
            known.update(content_id for (content_id,) in found.fetchall())
        return known

    def add(self, content_ids: Collection[str], seconds: float) -> None:
        """Add content ids of payloads that are stored in this transaction, for some seconds."""
        until = clock.boot_clock() + seconds
        self._execute_many(
            "INSERT OR REPLACE INTO seen (content_id, until) VALUES (?, ?)",
            [(content_id, until) for content_id in content_ids],
        )

    def has_old(self) -> bool:
        """Return whether the oldest content id is out of the window; needs no transaction."""
        found = self._execute("SELECT until FROM seen ORDER BY id LIMIT 1").fetchone()
        return found is not None and found[0] <= clock.boot_clock()

    def purge(self, count: int) -> None:
        """Delete at most `count` of the oldest rows: out of the window, or beyond `MAX_SEEN`."""
        self._execute(
            "DELETE FROM seen WHERE id IN (SELECT id FROM seen ORDER BY id LIMIT ?) "
            "AND (until <= ? OR id <= (SELECT max(id) FROM seen) - ?)",
            (count, clock.boot_clock(), MAX_SEEN),
        )
