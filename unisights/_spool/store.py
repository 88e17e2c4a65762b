"""The statements about the payloads of a spool: waiting ones, dead letters, and their owners."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from unisights._spool import clock
from unisights._spool.connection import SpoolConnection
from unisights._spool.duplicates import Seen
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.rejected import RejectedRecords
from unisights._spool.rows import NewRow, Row, Totals
from unisights._spool.statements import CHUNK, chunks, literals, marks
from unisights.config import Durability


class Spool(SpoolConnection):
    """One connection to a spool, and what can be done with its payloads.

    All methods but `transaction`, `totals` and `close` belong inside a transaction, unless their
    docstrings say otherwise.

    Args:
        path, durability, ordered, must_exist: as for `SpoolConnection`.

    Attributes:
        process_locks: the locks of the processes that use it.
        rejected: its rejected records.
        seen: which payloads were accepted lately.

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
    ) -> None:
        super().__init__(path, durability=durability, ordered=ordered, must_exist=must_exist)
        self.process_locks = ProcessLocks(path)
        self.rejected = RejectedRecords(self._connection)
        self.seen = Seen(self._connection)

    def totals(self) -> Totals:
        """Return what is in the spool."""
        return Totals(
            *self._fetch_one(
                "SELECT waiting, waiting_bytes, dead, dead_bytes, rejected, rejected_bytes, "
                "stored, commits FROM state"
            )
        )

    # Storing.

    def insert(self, rows: Sequence[NewRow], owners: Sequence[int]) -> range:
        """Store payloads, each for an owner; return their numbers."""
        now = clock.boot_clock()
        (first,) = self._fetch_one("SELECT next_id FROM state")
        ids = range(first, first + len(rows))
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
            "UPDATE state SET next_id = ?, stored = stored + ?, commits = commits + 1",
            (ids.stop, len(rows)),
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
        """Return whether there may be something to claim; needs no transaction."""
        found = self._connection.execute(
            "SELECT 1 FROM waiting WHERE owner = 0 AND due <= ? LIMIT 1", (clock.boot_clock(),)
        )
        return found.fetchone() is not None

    def claim(self, owner: int, *, rows: int, size: int) -> list[Row]:
        """Give an owner what is due, the longest due first; one row may be larger than `size`.

        Args:
            owner: the new owner.
            rows: at most so many.
            size: at most so many bytes of them.
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

    def complete(self, ids: Iterable[int]) -> None:
        """Delete what was delivered, whoever owns it by now."""
        for chunk in chunks(list(ids)):
            self._connection.execute(
                f"DELETE FROM payloads WHERE id IN ({marks(len(chunk))})",  # noqa: S608
                chunk,
            )

    def reschedule(self, owner: int, row_id: int, *, due: float, error: str) -> None:
        """Let any process attempt again what has failed, from `due` on, by `boot_clock`."""
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

    def release(self, owner: int, ids: Sequence[int]) -> None:
        """Let any process claim some of what an owner has."""
        for chunk in chunks(ids):
            self._connection.execute(
                "UPDATE waiting SET owner = 0 WHERE owner = ? "  # noqa: S608
                f"AND id IN ({marks(len(chunk))})",
                (owner, *chunk),
            )

    def release_all(self, owner: int, *, but: Iterable[int] = ()) -> None:
        """Let any process claim all that an owner has, except for some."""
        self._connection.execute(
            f"UPDATE waiting SET owner = 0 WHERE owner = ? AND id NOT IN ({literals(but)})",  # noqa: S608
            (owner,),
        )

    # Dead letters.

    def oldest_dead(self, excess: int) -> list[Row]:
        """Return the oldest dead letters, a few at a time, that make up at least so many bytes."""
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
        """Let dead letters wait again as if they were new, all or some; return how many."""
        now = clock.boot_clock()
        wanted = "" if ids is None else f"WHERE id IN ({literals(ids)})"
        self._connection.execute(
            "INSERT INTO waiting SELECT id, 0, 0, ?, ?, size, session_id, error "  # noqa: S608
            f"FROM dead {wanted}",
            (now, now),
        )
        done = self._connection.execute(f"DELETE FROM dead {wanted}")  # noqa: S608
        return done.rowcount

    # What people ask; none of it needs a transaction.

    def owned(self) -> int:
        """Return how many of the waiting payloads have an owner."""
        (count,) = self._fetch_one("SELECT count(*) FROM waiting WHERE owner != 0")
        return int(count)

    def oldest(self) -> float | None:
        """Return how long the oldest payload has been waiting, in seconds; None without one."""
        (since,) = self._fetch_one("SELECT min(since) FROM waiting")
        return None if since is None else max(0.0, clock.boot_clock() - float(since))

    def records(self, table: str) -> Iterator[dict[str, Any]]:
        """Return all of `waiting` or `dead`, the first stored first.

        They are read a few at a time, so that nobody has to wait, and the log can be emptied.
        """
        died_at = "NULL AS died_at" if table == "waiting" else "died_at"
        names = (
            *("id", "received_at", "session_id", "content_id", "attempts", "error", "died_at"),
            *("request", "raw", "quarantined"),
        )
        last = 0
        while True:
            found = self._connection.execute(
                f"SELECT w.id, received_at, session_id, content_id, attempts, error, {died_at}, "  # noqa: S608
                f"request, raw, quarantined FROM {table} w JOIN payloads USING (id) WHERE w.id > ? "
                "ORDER BY w.id LIMIT ?",
                (last, CHUNK),
            ).fetchall()
            if not found:
                return
            last = found[-1][0]
            for values in found:
                yield dict(zip(names, values, strict=True))

    # Owners.

    def register(self, owner: int) -> None:
        """Make an owner known whose process lock is held."""
        self._connection.execute("INSERT INTO owners VALUES (?, ?)", (owner, os.getpid()))

    def unregister(self, owner: int) -> None:
        """Release all that an owner has, and forget the owner."""
        self.release_all(owner)
        self._connection.execute("DELETE FROM owners WHERE id = ?", (owner,))

    def other_owners(self, owner: int) -> list[int]:
        """Return all other owners, dead or alive; needs no transaction."""
        found = self._connection.execute("SELECT id FROM owners WHERE id != ?", (owner,))
        return [other for (other,) in found.fetchall()]

    def clamp_times(self, longest_wait: float) -> None:
        """Correct impossible times: a wait that is longer than any, an arrival in the future.

        Where the system does not tell its boots apart, an earlier boot leaves such times.
        """
        now = clock.boot_clock()
        self._connection.execute(
            "UPDATE waiting SET due = ? WHERE owner = 0 AND due > ?", (now, now + longest_wait + 1)
        )
        self._connection.execute("UPDATE waiting SET since = ? WHERE since > ?", (now, now))

    # After a repair.

    def restore(
        self,
        payload: tuple[Any, ...],
        *,
        waiting: tuple[Any, ...] | None,
        dead: tuple[Any, ...] | None,
    ) -> None:
        """Put back what was saved of a corrupt spool: a dead letter, or else it waits, unowned."""
        row_id, _received_at, _content_id, request, raw, quarantined = payload
        self._connection.execute("INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?)", payload)
        if dead is not None:
            self._connection.execute("INSERT INTO dead VALUES (?, ?, ?, ?, ?, ?)", dead)
        else:
            now, size = clock.boot_clock(), len(raw) + len(request) + len(quarantined or "")
            _id, _owner, attempts, *_times, session_id, error = waiting or [None] * 8
            self._connection.execute(
                "INSERT INTO waiting VALUES (?, 0, ?, ?, ?, ?, ?, ?)",
                (row_id, attempts or 0, now, now, size, session_id, error),
            )
        self.skip(row_id)

    def skip(self, row_id: int) -> None:
        """Give this number to nothing that is stored later."""
        self._connection.execute("UPDATE state SET next_id = max(next_id, ?)", (row_id + 1,))

    # How it is done.

    def _read(self, table: str, ids: Sequence[int]) -> list[Row]:
        age = "? - w.since" if table == "waiting" else "? * 0"
        now = clock.boot_clock()
        rows: list[Row] = []
        for chunk in chunks(ids):
            found = self._connection.execute(
                f"SELECT id, attempts, {age}, size, received_at, session_id, content_id, "  # noqa: S608
                f"request, raw, quarantined FROM {table} w JOIN payloads USING (id) "
                f"WHERE id IN ({marks(len(chunk))})",
                (now, *chunk),
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
