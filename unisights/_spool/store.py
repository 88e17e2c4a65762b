"""The spool: the SQLite file that keeps what was acknowledged until it is delivered.

A payload's body is written once and never moved. What changes (whose it is, how often it was
tried, when it is due) is in a narrow table beside it, so that taking over, putting off and giving
up cost little. Triggers keep the totals: whatever touches a row, the totals follow.
"""

import contextlib
import os
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from unisights._spool.clock import boot_clock, boot_id, wall_clock
from unisights._spool.duplicates import TABLE as _SEEN_TABLE
from unisights._spool.duplicates import Seen
from unisights._spool.process_locks import Lock, ProcessLocks
from unisights._spool.rejected import TABLES as _REJECTED_TABLES
from unisights._spool.rejected import RejectedRecords
from unisights.config import Durability
from unisights.errors import StoreError

APPLICATION_ID = 0x75736C71
"""What tells a spool from other SQLite files: `application_id` in their header."""

SPOOL_VERSION = 2
"""The version of the tables, kept in the file's `user_version`."""

NOBODY = 0
"""The owner of rows that any process may claim."""

_MAGIC = b"SQLite format 3\0"

_TABLES = """
CREATE TABLE state (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    boot           TEXT NOT NULL,    -- which start of the host `since` and `due` count from
    next_id        INTEGER NOT NULL,
    waiting        INTEGER NOT NULL DEFAULT 0,
    waiting_bytes  INTEGER NOT NULL DEFAULT 0,
    dead           INTEGER NOT NULL DEFAULT 0,
    dead_bytes     INTEGER NOT NULL DEFAULT 0,
    rejected       INTEGER NOT NULL DEFAULT 0,
    rejected_bytes INTEGER NOT NULL DEFAULT 0,
    stored         INTEGER NOT NULL DEFAULT 0, -- payloads, since the file was made
    commits        INTEGER NOT NULL DEFAULT 0  -- of how many transactions that stored some
);
CREATE TABLE owners (
    id  INTEGER PRIMARY KEY,                   -- random
    pid INTEGER NOT NULL
);
CREATE TABLE payloads (
    id          INTEGER PRIMARY KEY,           -- in the order of their commits
    received_at INTEGER NOT NULL,              -- ms since the Unix epoch
    content_id  TEXT NOT NULL,
    request     TEXT NOT NULL,                 -- RequestInfo, JSON
    raw         BLOB NOT NULL,                 -- the request's body as received
    quarantined TEXT                           -- the indexes of events that are left out, JSON
);
CREATE TABLE waiting (
    id         INTEGER PRIMARY KEY,
    owner      INTEGER NOT NULL,               -- 0: nobody
    attempts   INTEGER NOT NULL,
    since      REAL NOT NULL,                  -- seconds since the host was started
    due        REAL NOT NULL,                  -- likewise
    size       INTEGER NOT NULL,               -- bytes of body and request
    session_id TEXT,
    reason     TEXT                            -- why the last try failed
);
CREATE INDEX waiting_unowned ON waiting (due) WHERE owner = 0;
CREATE TABLE dead (
    id         INTEGER PRIMARY KEY,
    attempts   INTEGER NOT NULL,
    died_at    INTEGER NOT NULL,               -- ms since the Unix epoch
    size       INTEGER NOT NULL,
    session_id TEXT,
    reason     TEXT
);
CREATE TRIGGER waiting_came AFTER INSERT ON waiting BEGIN
    UPDATE state SET waiting = waiting + 1, waiting_bytes = waiting_bytes + new.size;
END;
CREATE TRIGGER waiting_gone AFTER DELETE ON waiting BEGIN
    UPDATE state SET waiting = waiting - 1, waiting_bytes = waiting_bytes - old.size;
END;
CREATE TRIGGER dead_came AFTER INSERT ON dead BEGIN
    UPDATE state SET dead = dead + 1, dead_bytes = dead_bytes + new.size;
END;
CREATE TRIGGER dead_gone AFTER DELETE ON dead BEGIN
    UPDATE state SET dead = dead - 1, dead_bytes = dead_bytes - old.size;
END;
CREATE TRIGGER payload_gone AFTER DELETE ON payloads BEGIN
    DELETE FROM waiting WHERE id = old.id;
    DELETE FROM dead WHERE id = old.id;
END;
"""

_SESSIONS = "CREATE INDEX IF NOT EXISTS waiting_session ON waiting (session_id, id)"

_CHUNK = 64
"""So many rows go into one statement. The interpreter's lock is let go and taken again around
each statement, which is slow when other threads are at work: the fewer statements, the better."""

_BUSY_SECONDS = 5.0
"""How long another connection's transaction is waited for."""

_CHECKED_BYTES = 32 * 1024 * 1024
"""A file of at most this size is read through when it is opened, to find what is corrupt."""

_LEAST_BYTES = 256 * 1024
"""A disk with less room than this is full: beside the file, SQLite makes a log and its index."""

_opening = threading.Lock()
"""Held while a file is opened or closed other than by SQLite, see `_open`."""

_open: "Counter[tuple[int, int] | None]" = Counter()
"""The files that this process has connections to. Closing any other descriptor of such a file
would let go of the locks by which SQLite keeps processes apart: that is how POSIX has it."""


@dataclass(frozen=True, slots=True)
class NewRow:
    """A payload to be stored.

    Attributes:
        raw: its body.
        request: its request, as JSON.
        received_at: when it came, in milliseconds since the Unix epoch.
        session_id: its session.
        content_id: its identity by content.
        quarantined: the indexes of its events that were quarantined, as JSON; None: there are none.
    """

    raw: bytes
    request: str
    received_at: int
    session_id: str | None
    content_id: str
    quarantined: str | None = None

    @property
    def size(self) -> int:
        """What it weighs against the spool's bound, in bytes."""
        return len(self.raw) + len(self.request) + len(self.quarantined or "")


@dataclass(frozen=True, slots=True)
class Row:
    """A payload that was read from the spool.

    Attributes:
        id: its number; a later commit's is greater.
        attempts: how often its delivery has failed.
        age: how long it has been waiting, in seconds.
        size: what it weighs, in bytes.
        received_at, session_id, content_id, request, raw, quarantined: as they were stored.
    """

    id: int
    attempts: int
    age: float
    size: int
    received_at: int
    session_id: str | None
    content_id: str
    request: str
    raw: bytes
    quarantined: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What is in the spool, in number and bytes, and what has been stored since it was made."""

    waiting: int
    waiting_bytes: int
    dead: int
    dead_bytes: int
    rejected: int
    rejected_bytes: int
    stored: int
    commits: int


def explain(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """The error of a spool that cannot be used, with what can be done about it."""
    reason = str(error)
    if any(sign in reason for sign in ("malformed", "not a database", "corrupt")):
        reason += f"; stop what uses it, then run: unisights spool repair {path}"
    elif is_disk_full(path):
        # SQLite itself may call it an I/O error.
        reason += f"; the disk is full: make room in {path.parent}"
    return StoreError(f"cannot use the spool {path}: {reason}")


def is_disk_full(path: Path) -> bool:
    """Whether the spool's disk has no room for the least that SQLite needs to open it."""
    try:
        return shutil.disk_usage(path.parent).free < _LEAST_BYTES
    except OSError:
        return False


def check_spool(path: Path) -> None:
    """Refuse what can be seen to be no spool, without making, locking or changing a file.

    Raises:
        StoreError: there is no such directory, or the file is something else.
    """
    if not path.parent.is_dir():
        raise StoreError(f"cannot use the spool {path}: there is no directory {path.parent}")
    with _opening:
        if _inode_of(path) in _open:
            return
        try:
            with path.open("rb") as file:
                header = file.read(100)
        except FileNotFoundError:
            return
        except PermissionError:
            return  # A management command's user may not be the server's.
        except OSError as error:
            raise explain(path, error) from error
    is_ours = header.startswith(_MAGIC) and header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    if header and not is_ours:
        raise StoreError(f"cannot use the spool {path}: the file is something else")


class Spool:
    """One connection to a spool, for one thread at a time. It must not cross a fork.

    All methods but `transaction`, `totals` and `close` belong inside a transaction.

    Args:
        path: the file; it is made if it does not exist, unless it has to.
        durability: whether each commit waits until the disk has it.
        ordered: whether payloads of one session are to be delivered one after the other.
        must_exist: do not make the file.

    Attributes:
        path: the file.
        owners: the processes that use it.
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
        self.path = path
        self.owners = ProcessLocks(path)
        self._ordered = ordered
        if must_exist and not path.is_file():
            raise StoreError(f"cannot use the spool {path}: there is no such file")
        check_spool(path)
        self._open()
        try:
            self._set_up(durability)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise explain(path, error) from error
            raise

    def close(self) -> None:
        """Close the connection."""
        with _opening:
            self._connection.close()
            _open[self._inode] -= 1
            if not _open[self._inode]:
                del _open[self._inode]
        self._gate.close()

    def forget(self) -> None:
        """In a forked child: leave the connection to the parent."""
        self._gate.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Self]:
        """Everything inside is committed at the end, or nothing.

        Raises:
            StoreError: it could not be; nothing of it was.
        """
        if _inode_of(self.path) != self._inode:
            raise StoreError(f"the spool {self.path} was moved or removed: restart what uses it")
        # SQLite's way to wait for others is to sleep and look again, at times for long. The kernel
        # wakes who waits for a lock.
        self._gate.take()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self._connection.execute("COMMIT")
            except BaseException:
                # Some errors have rolled back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            if "full" in str(error):
                # The log may hold what the file has room for: then the next one will do.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raise explain(self.path, error) from error
        finally:
            self._gate.let_go()

    def log_size(self) -> int:
        """How many bytes are in SQLite's log, which cannot be emptied while anyone reads it."""
        try:
            return self.path.with_name(f"{self.path.name}-wal").stat().st_size
        except OSError:
            return 0

    def totals(self) -> Totals:
        """What is in the spool."""
        return Totals(
            *self._fetch_one(
                "SELECT waiting, waiting_bytes, dead, dead_bytes, rejected, rejected_bytes, "
                "stored, commits FROM state"
            )
        )

    # What comes in.

    def insert(self, rows: Sequence[NewRow], owners: Sequence[int]) -> range:
        """Store payloads, each for an owner; return their numbers."""
        now = boot_clock()
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
        """Whether payloads of a session are waiting."""
        found = self._connection.execute(
            "SELECT 1 FROM waiting WHERE session_id = ? LIMIT 1", (session_id,)
        )
        return found.fetchone() is not None

    # What goes out.

    def has_claimable(self) -> bool:
        """Whether there may be something to claim; needs no transaction."""
        found = self._connection.execute(
            "SELECT 1 FROM waiting WHERE owner = 0 AND due <= ? LIMIT 1", (boot_clock(),)
        )
        return found.fetchone() is not None

    def claim(self, owner: int, *, rows: int, size: int) -> list[Row]:
        """Give an owner what is due, the longest due first; one row may be larger than `size`.

        Args:
            owner: whose they become.
            rows: at most so many.
            size: at most so many bytes of them.
        """
        now = boot_clock()
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
        self._for_all("UPDATE waiting SET owner = :value WHERE id IN", ids, owner)
        return self._read(ids, now)

    def delivered(self, ids: Iterable[int]) -> None:
        """Forget what was delivered, whosever it is by now."""
        self._for_all("DELETE FROM payloads WHERE id IN", list(ids))

    def put_off(self, owner: int, row_id: int, *, due: float, reason: str) -> None:
        """Put off what has failed: anyone may try again from `due` on, by `boot_clock`."""
        self._connection.execute(
            "UPDATE waiting SET owner = 0, attempts = attempts + 1, due = ?, reason = ? "
            "WHERE id = ? AND owner = ?",
            (due, reason, row_id, owner),
        )

    def give_up(self, owner: int, row_id: int, *, reason: str, failed: bool = True) -> None:
        """Put what cannot be delivered among the dead letters; `failed`: it was tried now."""
        key = (row_id, owner)
        self._connection.execute(
            "INSERT INTO dead SELECT id, attempts + ?, ?, size, session_id, ? FROM waiting "
            "WHERE id = ? AND owner = ?",
            (failed, wall_clock(), reason, *key),
        )
        self._connection.execute("DELETE FROM waiting WHERE id = ? AND owner = ?", key)

    def release(self, owner: int, *, but: Iterable[int] = ()) -> None:
        """Leave all that an owner has to anyone, but for some."""
        kept = ",".join(str(int(row_id)) for row_id in but)
        self._connection.execute(
            f"UPDATE waiting SET owner = 0 WHERE owner = ? AND id NOT IN ({kept})",  # noqa: S608
            (owner,),
        )

    def give_back(self, owner: int, ids: Sequence[int]) -> None:
        """Leave some of what an owner has to anyone."""
        self._for_all("UPDATE waiting SET owner = 0 WHERE owner = ? AND id IN", ids, owner)

    # The dead letters.

    def oldest_dead(self, excess: int) -> list[Row]:
        """The oldest dead letters that together weigh at least so many bytes; a few at a time."""
        ids: list[int] = []
        for row_id, size in self._connection.execute(
            "SELECT id, size FROM dead ORDER BY died_at, id LIMIT ?", (_CHUNK,)
        ).fetchall():
            if excess <= 0:
                break
            ids.append(row_id)
            excess -= size
        return self._read(ids, boot_clock(), "dead")

    def forget_dead(self, ids: Iterable[int]) -> None:
        """Forget dead letters, but for those that wait again by now."""
        for row_id in ids:
            self._connection.execute(
                "DELETE FROM payloads WHERE id IN (SELECT id FROM dead WHERE id = ?)", (row_id,)
            )

    def revive(self, ids: Iterable[int] | None = None) -> int:
        """Let dead letters wait again, as if they had just come; all of them, or those; count."""
        now = boot_clock()
        wanted = "" if ids is None else f"WHERE id IN ({','.join(str(int(i)) for i in ids)})"
        self._connection.execute(
            "INSERT INTO waiting SELECT id, 0, 0, ?, ?, size, session_id, reason "  # noqa: S608
            f"FROM dead {wanted}",
            (now, now),
        )
        done = self._connection.execute(f"DELETE FROM dead {wanted}")  # noqa: S608
        return done.rowcount

    # What people ask; none of it needs a transaction.

    def owned(self) -> int:
        """How many of the waiting payloads are some process's."""
        (count,) = self._fetch_one("SELECT count(*) FROM waiting WHERE owner != 0")
        return int(count)

    def oldest(self) -> float | None:
        """How long the oldest payload has been waiting, in seconds; None if there is none."""
        (since,) = self._fetch_one("SELECT min(since) FROM waiting")
        return None if since is None else max(0.0, boot_clock() - float(since))

    def records(self, table: str) -> Iterator[dict[str, Any]]:
        """All of `waiting` or `dead`, the first stored first, a few at a time.

        So that reading them does not keep others from writing, nor the log from being emptied.
        """
        state = "NULL AS died_at" if table == "waiting" else "died_at"
        names = (
            *("id", "received_at", "session_id", "content_id", "attempts", "reason", "died_at"),
            *("request", "raw", "quarantined"),
        )
        last = 0
        while True:
            found = self._connection.execute(
                f"SELECT w.id, received_at, session_id, content_id, attempts, reason, {state}, "  # noqa: S608
                f"request, raw, quarantined FROM {table} w JOIN payloads USING (id) WHERE w.id > ? "
                "ORDER BY w.id LIMIT ?",
                (last, _CHUNK),
            ).fetchall()
            if not found:
                return
            last = found[-1][0]
            for values in found:
                yield dict(zip(names, values, strict=True))

    def restore(
        self,
        payload: tuple[Any, ...],
        *,
        waiting: tuple[Any, ...] | None,
        dead: tuple[Any, ...] | None,
    ) -> None:
        """Put back what was saved from a corrupt spool; what is not dead is waiting, for anyone."""
        row_id, _received_at, _content_id, request, raw, quarantined = payload
        self._connection.execute("INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?)", payload)
        if dead is not None:
            self._connection.execute("INSERT INTO dead VALUES (?, ?, ?, ?, ?, ?)", dead)
        else:
            now, size = boot_clock(), len(raw) + len(request) + len(quarantined or "")
            _id, _owner, attempts, *_times, session_id, reason = waiting or [None] * 8
            self._connection.execute(
                "INSERT INTO waiting VALUES (?, 0, ?, ?, ?, ?, ?, ?)",
                (row_id, attempts or 0, now, now, size, session_id, reason),
            )
        self.skip(row_id)

    def skip(self, row_id: int) -> None:
        """Give this number to nothing that is stored later."""
        self._connection.execute("UPDATE state SET next_id = max(next_id, ?)", (row_id + 1,))

    # The owners.

    def enter(self, owner: int) -> None:
        """Make an owner known whose lock is held."""
        self._connection.execute("INSERT INTO owners VALUES (?, ?)", (owner, os.getpid()))

    def leave(self, owner: int) -> None:
        """Leave all that an owner has to anyone, and forget it."""
        self.release(owner)
        self._connection.execute("DELETE FROM owners WHERE id = ?", (owner,))

    def others(self, owner: int) -> list[int]:
        """All other owners, dead or alive; needs no transaction."""
        found = self._connection.execute("SELECT id FROM owners WHERE id != ?", (owner,))
        return [other for (other,) in found.fetchall()]

    def mend_times(self, longest_wait: float) -> None:
        """Undo what cannot be: a wait that is longer than any, a row that came in the future.

        Where the system does not tell its boots apart, such are left by an earlier one.
        """
        now = boot_clock()
        self._connection.execute(
            "UPDATE waiting SET due = ? WHERE owner = 0 AND due > ?", (now, now + longest_wait + 1)
        )
        self._connection.execute("UPDATE waiting SET since = ? WHERE since > ?", (now, now))

    # How it is done.

    def _open(self) -> None:
        try:
            self._gate = Lock(self.path.with_name(f"{self.path.name}-lock"))
        except OSError as error:
            raise explain(self.path, error) from error
        try:
            with _opening:
                # Bodies and cookies are nobody else's business. SQLite gives its own files, beside
                # this one, the same permissions.
                with contextlib.suppress(FileExistsError):
                    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                    os.close(os.open(self.path, flags, 0o600))
                self._connection = sqlite3.connect(
                    self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
                )
                self.rejected = RejectedRecords(self._connection)
                self._inode = _inode_of(self.path)
                _open[self._inode] += 1
            self.seen = Seen(self._connection)
        except (sqlite3.Error, OSError) as error:
            self._gate.close()
            raise explain(self.path, error) from error

    def _set_up(self, durability: Durability) -> None:
        execute = self._connection.execute
        # One process makes the file. Switching to WAL does not wait for others, as it should.
        self._gate.take()
        try:
            is_new = not execute("PRAGMA schema_version").fetchone()[0]
            if is_new:
                self._make_tables()
            self._check_version()
            (mode,) = execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise StoreError(
                    f"cannot use the spool {self.path}: no WAL mode there, only {mode}"
                )
            execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
            if durability == "power":
                # On macOS, fsync alone does not reach the disk.
                execute("PRAGMA fullfsync = ON")
            # Some builds overwrite what is deleted, which would double the work.
            execute("PRAGMA secure_delete = OFF")
            execute("PRAGMA journal_size_limit = 67108864")
            self._look_through()
            if self._ordered:
                execute(_SESSIONS)
        finally:
            self._gate.let_go()
        self._note_boot()

    def _make_tables(self) -> None:
        execute = self._connection.execute
        # Not yet in WAL mode: so the header is in the file itself, for `check_spool` to see.
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute("BEGIN IMMEDIATE")
        for statement in _statements(_TABLES + _REJECTED_TABLES + _SEEN_TABLE):
            execute(statement)
        execute("INSERT INTO state (id, boot, next_id) VALUES (1, ?, 1)", (boot_id(),))
        execute(f"PRAGMA user_version = {SPOOL_VERSION}")
        execute("COMMIT")

    def _check_version(self) -> None:
        (version,) = self._fetch_one("PRAGMA user_version")
        if version != SPOOL_VERSION:
            age = "a newer" if version > SPOOL_VERSION else "another"
            raise StoreError(
                f"cannot use the spool {self.path}: it was made by {age} version of unisights "
                f"(tables of version {version}, not {SPOOL_VERSION})"
            )

    def _look_through(self) -> None:
        """Find what is corrupt now rather than when it is needed, if that does not take long."""
        if self.path.stat().st_size > _CHECKED_BYTES:
            return
        (found,) = self._fetch_one("PRAGMA quick_check(1)")
        if found != "ok":
            raise explain(self.path, sqlite3.DatabaseError(f"corrupt: {found}"))

    def _note_boot(self) -> None:
        """After a restart of the host, what was put off is due, and ages are by the time of day."""
        if self._is_noted():
            return
        with self.transaction():
            if self._is_noted():
                return  # Another process has done it meanwhile.
            now = boot_clock()
            self._connection.execute("UPDATE waiting SET due = 0 WHERE due > 0")
            self._connection.execute(
                "UPDATE waiting SET since = ? - max(0, (? - (SELECT received_at FROM payloads p "
                "WHERE p.id = waiting.id)) / 1000.0)",
                (now, wall_clock()),
            )
            self._connection.execute("UPDATE state SET boot = ?", (boot_id(),))

    def _is_noted(self) -> bool:
        (noted,) = self._fetch_one("SELECT boot FROM state")
        return bool(noted == boot_id())

    def _read(self, ids: Sequence[int], now: float, table: str = "waiting") -> list[Row]:
        age = "? - w.since" if table == "waiting" else "? * 0"
        rows: list[Row] = []
        for chunk in _chunks(ids):
            marks = ",".join("?" * len(chunk))
            found = self._connection.execute(
                f"SELECT id, attempts, {age}, size, received_at, session_id, content_id, "  # noqa: S608
                f"request, raw, quarantined FROM {table} w JOIN payloads USING (id) "
                f"WHERE id IN ({marks})",
                (now, *chunk),
            )
            by_id = {values[0]: Row(*values) for values in found.fetchall()}
            rows += [by_id[row_id] for row_id in chunk if row_id in by_id]
        return rows

    def _insert_all(self, head: str, width: int, rows: Sequence[tuple[Any, ...]]) -> None:
        mark = f"({','.join('?' * width)})"
        for chunk in _chunks(rows):
            marks = ",".join([mark] * len(chunk))
            self._connection.execute(f"{head} {marks}", [value for row in chunk for value in row])

    def _for_all(self, head: str, ids: Sequence[int], *values: int) -> None:
        for chunk in _chunks(ids):
            marks = ",".join("?" * len(chunk))
            sql = f"{head.replace(':value', '?')} ({marks})"
            self._connection.execute(sql, (*values, *chunk))

    def _fetch_one(self, sql: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] | None = self._connection.execute(sql).fetchone()
        if found is None:
            raise explain(self.path, sqlite3.DatabaseError("corrupt: its state is missing"))
        return found


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The items, by powers of two: so there are few different statements, and they stay cached."""
    start, size = 0, _CHUNK
    while start < len(items):
        while size > len(items) - start:
            size //= 2
        yield items[start : start + size]
        start += size


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _inode_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _forget() -> None:
    """In a forked child: the lock may have been held."""
    global _opening  # noqa: PLW0603
    _opening = threading.Lock()


os.register_at_fork(after_in_child=_forget)
