"""The statements about the payloads of a spool: waiting ones and dead letters."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unisights._spool import clock
from unisights._spool.connection import SpoolConnection
from unisights._spool.duplicates import DuplicateWindow
from unisights._spool.ids import skip_id, take_ids
from unisights._spool.owners import Owners
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.progress import Progress
from unisights._spool.rejections import Rejections
from unisights._spool.reports import Reports
from unisights._spool.rows import NewRow, Row, Totals, size_of
from unisights._spool.statements import CHUNK, chunks, literals, marks
from unisights._spool.tables import NOBODY
from unisights.delivery import Durability


class Spool(SpoolConnection):
    """A connection to a spool, with the statements about its payloads.

    Methods that change something belong inside a transaction.

    Args:
        path, durability, ordered, must_exist, progress: as for `SpoolConnection`.

    Attributes:
        process_locks: the locks of the processes that use it.
        owners: the processes to which its payloads belong.
        rejections: the rejections in it.
        seen: the content ids that were accepted lately.
        reports: its content, for people.

    Raises:
        StoreError: the file cannot be used, or is no spool of this version.
    """

    def __init__(
        self,
        path: Path,
        *,
        durability: Durability = "process",
        ordered: bool = False,
        must_exist: bool = False,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(
            path, durability=durability, ordered=ordered, must_exist=must_exist, progress=progress
        )
        self.process_locks = ProcessLocks(path)
        self.owners = Owners(self._connection)
        self.rejections = Rejections(self._connection)
        self.seen = DuplicateWindow(self._connection)
        self.reports = Reports(self._connection)

    def totals(self) -> Totals:
        """Return the numbers and bytes in the spool."""
        return Totals(
            *self._fetch_one(
                "SELECT waiting, waiting_bytes, dead, dead_bytes, rejected, rejected_bytes, "
                "stored, commits FROM state"
            )
        )

    def span(self) -> tuple[int | None, int | None]:
        """Return the numbers of the first and the last payload that waits; needs no transaction."""
        (first,) = self._fetch_one("SELECT min(id) FROM waiting")
        (last,) = self._fetch_one("SELECT max(id) FROM waiting")
        return first, last

    # Storing.

    def insert(self, rows: Sequence[NewRow], owners: Sequence[int]) -> range:
        """Store payloads, each for an owner; return their numbers."""
        now = clock.boot_clock()
        ids = take_ids(self._connection, len(rows))
        self._insert_all(
            "INSERT INTO payloads VALUES",
            6,
            [
                (i, r.received_at, r.content_id, r.request, r.raw, r.quarantined)
                for i, r in zip(ids, rows, strict=True)
            ],
        )
        self._insert_all(
            "INSERT INTO waiting VALUES",
            8,
            [
                (i, owner, 0, now, now, r.size, r.session_id, None)
                for i, r, owner in zip(ids, rows, owners, strict=True)
            ],
        )
        self._connection.execute(
            "UPDATE state SET stored = stored + ?, commits = commits + 1", (len(rows),)
        )
        return ids

    def has_waiting(self, session_id: str | None) -> bool:
        """Return whether payloads of a session are waiting."""
        found = self._connection.execute(
            "SELECT 1 FROM waiting WHERE session_id = ? LIMIT 1", (session_id,)
        )
        return found.fetchone() is not None

    # Claiming, and what follows from attempts.

    def has_claimable(self) -> bool:
        """Return whether there may be something to claim."""
        found = self._connection.execute(
            "SELECT 1 FROM waiting WHERE owner = 0 AND due <= ? LIMIT 1", (clock.boot_clock(),)
        )
        return found.fetchone() is not None

    def claim(self, owner: int, *, rows: int, size: int) -> list[Row]:
        """Give an owner the payloads that are due, the longest due first, and return them.

        Args:
            owner: the new owner.
            rows: the greatest number of payloads.
            size: the greatest sum of their sizes, in bytes; one payload alone may be larger.
        """
        now = clock.boot_clock()
        earlier = (
            "AND NOT EXISTS (SELECT 1 FROM waiting e WHERE e.session_id = w.session_id "
            "AND e.id < w.id)"
            if self._ordered
            else ""
        )
        found = self._connection.execute(
            f"SELECT id, size FROM waiting w WHERE owner = 0 AND due <= ? {earlier} "  # noqa: S608
            "ORDER BY due, id LIMIT ?",
            (now, rows),
        ).fetchall()
        ids: list[int] = []
        for row_id, row_size in found:
            if ids and row_size > size:
                break
            ids.append(row_id)
            size -= row_size
        self._set_owner(owner, ids)
        return self._read("waiting", ids)

    def complete(self, ids: Iterable[int], owner: int = NOBODY) -> None:
        """Delete payloads that were delivered, whoever owns them by now.

        Numbers of a file that was removed may be those of other payloads in the new one. Of these,
        only payloads of the process's own, `owner`, are deleted.
        """
        done = list(ids)
        old = [row_id for row_id in done if row_id < self._first_new_id]
        if old:
            self._connection.execute(
                "DELETE FROM payloads WHERE id IN "  # noqa: S608
                f"(SELECT id FROM waiting WHERE owner = ? AND id IN ({literals(old)}))",
                (owner,),
            )
            done = [row_id for row_id in done if row_id >= self._first_new_id]
        self.delete(done)

    def delete(self, ids: Sequence[int]) -> None:
        """Delete payloads, whether they wait or are dead letters."""
        for chunk in chunks(ids):
            self._connection.execute(
                f"DELETE FROM payloads WHERE id IN ({marks(len(chunk))})",  # noqa: S608
                chunk,
            )

    def reschedule(self, owner: int, row_id: int, *, due: float, error: str) -> None:
        """Let any process attempt a failed payload again, from `due` on, by `boot_clock`."""
        self._connection.execute(
            "UPDATE waiting SET owner = 0, attempts = attempts + 1, due = ?, error = ? "
            "WHERE id = ? AND owner = ?",
            (due, error, row_id, owner),
        )

    def dead_letter(self, owner: int, row_id: int, *, error: str, failed: bool = True) -> None:
        """Make a payload a dead letter; `failed`: an attempt has failed now."""
        key = (row_id, owner)
        self._connection.execute(
            "INSERT INTO dead SELECT id, attempts + ?, ?, size, session_id, ? FROM waiting "
            "WHERE id = ? AND owner = ?",
            (failed, clock.wall_clock(), error, *key),
        )
        self._connection.execute("DELETE FROM waiting WHERE id = ? AND owner = ?", key)

    def clamp_times(self, longest_wait: float) -> None:
        """Correct impossible times: a wait that is longer than any, an arrival in the future.

        Where the system does not tell its boots apart, an earlier boot leaves such times.
        """
        now = clock.boot_clock()
        self._connection.execute(
            "UPDATE waiting SET due = ? WHERE owner = 0 AND due > ?", (now, now + longest_wait + 1)
        )
        self._connection.execute("UPDATE waiting SET since = ? WHERE since > ?", (now, now))

    # Dead letters.

    def oldest_dead(self, excess: int) -> list[Row]:
        """Return the oldest dead letters: at least `excess` bytes of them, but a few at a time."""
        ids: list[int] = []
        for row_id, size in self._connection.execute(
            "SELECT id, size FROM dead ORDER BY died_at, id LIMIT ?", (CHUNK,)
        ).fetchall():
            if excess <= 0:
                break
            ids.append(row_id)
            excess -= size
        return self._read("dead", ids)

    def evict(self, ids: Iterable[int]) -> None:
        """Delete dead letters, except for those that wait again by now."""
        for row_id in ids:
            self._connection.execute(
                "DELETE FROM payloads WHERE id IN (SELECT id FROM dead WHERE id = ?)", (row_id,)
            )

    def retry_dead(self, ids: Iterable[int] | None = None) -> int:
        """Let dead letters wait again as if they were new, all or some; return their number."""
        now = clock.boot_clock()
        wanted = "" if ids is None else f"WHERE id IN ({literals(ids)})"
        self._connection.execute(
            "INSERT INTO waiting SELECT id, 0, 0, ?, ?, size, session_id, error "  # noqa: S608
            f"FROM dead {wanted}",
            (now, now),
        )
        done = self._connection.execute(f"DELETE FROM dead {wanted}")  # noqa: S608
        return done.rowcount

    # After a repair.

    def restore(
        self,
        payload: tuple[Any, ...],
        *,
        waiting: tuple[Any, ...] | None,
        dead: tuple[Any, ...] | None,
    ) -> None:
        """Store a payload of a corrupt spool: as a dead letter if it was one, else as waiting.

        Args:
            payload: its row in `payloads`.
            waiting: its row in `waiting`, if it has one.
            dead: its row in `dead`, if it has one.
        """
        row_id, _received_at, _content_id, request, raw, quarantined = payload
        self._connection.execute("INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?)", payload)
        if dead is not None:
            self._connection.execute("INSERT INTO dead VALUES (?, ?, ?, ?, ?, ?)", dead)
        else:
            now, size = clock.boot_clock(), size_of(raw, request, quarantined)
            _id, _owner, attempts, *_times, session_id, error = waiting or [None] * 8
            self._connection.execute(
                "INSERT INTO waiting VALUES (?, 0, ?, ?, ?, ?, ?, ?)",
                (row_id, attempts or 0, now, now, size, session_id, error),
            )
        skip_id(self._connection, row_id)

    # Helpers.

    def _read(self, table: str, ids: Sequence[int]) -> list[Row]:
        # A dead letter waits for nothing.
        age, now = ("? - w.since", [clock.boot_clock()]) if table == "waiting" else ("0.0", [])
        rows: list[Row] = []
        for chunk in chunks(ids):
            found = self._connection.execute(
                f"SELECT id, attempts, {age}, size, received_at, session_id, content_id, "  # noqa: S608
                f"request, raw, quarantined FROM {table} w JOIN payloads USING (id) "
                f"WHERE id IN ({marks(len(chunk))})",
                (*now, *chunk),
            )
            by_id = {values[0]: Row(*values) for values in found.fetchall()}
            rows += [by_id[row_id] for row_id in chunk if row_id in by_id]
        return rows

    def _insert_all(self, head: str, width: int, rows: Sequence[tuple[Any, ...]]) -> None:
        mark = f"({marks(width)})"
        for chunk in chunks(rows):
            values = [value for row in chunk for value in row]
            self._connection.execute(f"{head} {','.join([mark] * len(chunk))}", values)

    def _set_owner(self, owner: int, ids: Sequence[int]) -> None:
        for chunk in chunks(ids):
            self._connection.execute(
                f"UPDATE waiting SET owner = ? WHERE id IN ({marks(len(chunk))})",  # noqa: S608
                (owner, *chunk),
            )
