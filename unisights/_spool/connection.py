"""A connection to a spool: opens the file, makes transactions, closes the file."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from unisights._runtime.sqlite_connection import Inode, SQLiteConnection, inode_of
from unisights._spool import clock
from unisights._spool.file_lock import FileLock
from unisights._spool.files import (
    check_spool,
    corrupt,
    explain,
    make_private,
    open_files,
    other_version,
    primary_code,
)
from unisights._spool.progress import Progress
from unisights._spool.tables import SESSION_INDEX, SPOOL_VERSION, create_tables
from unisights.delivery import Durability
from unisights.errors import StoreError

_BUSY_SECONDS = 4.0
"""How long SQLite waits for a transaction of a program that does not know of the file lock.

Less than requests wait for, so that they are told the reason.
"""

LOCK_SECONDS = 5.0
"""How long the commands wait for the file lock, which a process holds during a transaction."""

_CHECKED_BYTES = 32 * 1024 * 1024
"""A file of at most this size, in bytes, is read through when it is opened, to find damage."""

_WAL_LIMIT = 64 * 1024 * 1024
"""The size to which SQLite cuts its write-ahead log (WAL) once that has been emptied, in bytes."""


class SpoolConnection:
    """A connection to a spool, for one thread at a time. It is closed before each fork.

    Args:
        path: the file; it is made if it does not exist, unless `must_exist` is set.
        durability: whether each commit waits until the disk has it.
        ordered: whether payloads of one session are delivered one after the other.
        must_exist: do not make the file.
        progress: tells others what the thread that uses the connection is waiting for. With it, the
            thread waits for other processes for as long as it takes; else for `LOCK_SECONDS`.

    Attributes:
        path: the file.
        progress: the same.

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
        self.path = path
        self.progress = progress
        self._durability = durability
        self._ordered = ordered
        self._inode: Inode | None = None
        if must_exist and not path.is_file():
            raise StoreError(f"cannot use the spool {path}: there is no such file")
        check_spool(path)
        self._connection = SQLiteConnection(path, self._connect, self._disconnect)
        try:
            with self.use():
                self._transaction_lock = FileLock(path.with_name(f"{path.name}-lock"))
                try:
                    self._set_up()
                except BaseException:
                    self.close()
                    raise
        except (sqlite3.Error, OSError) as error:
            raise explain(path, error) from error

    def use(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which no other thread uses the connection and no fork closes it.

        A thread that other threads run beside has to be inside one, for all that it reads together.
        """
        return self._connection.use()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._transaction_lock.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Self]:
        """Commit everything inside at the end, or nothing.

        Raises:
            StoreError: it could not be committed; nothing of it was.
        """
        with self.use(), self._locked():
            if inode_of(self.path) != self._inode:
                raise self._moved()
            try:
                with self._connection.transaction():
                    yield self
            except sqlite3.Error as error:
                if primary_code(error) == sqlite3.SQLITE_FULL:
                    # If the file has room for what is in the WAL, the next transaction succeeds.
                    with contextlib.suppress(sqlite3.Error):
                        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                raise explain(self.path, error) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the spool against other processes.

        SQLite waits for them by sleeping, at times for long. A file lock wakes the next one at
        once.
        """
        lock = self._transaction_lock
        if not lock.try_acquire():
            # Forks must not wait for other processes.
            with self._connection.let_go():
                self._wait_for(lock)
        try:
            yield
        finally:
            lock.release()

    def _wait_for(self, lock: FileLock) -> None:
        if self.progress is not None:
            with self.progress.waiting_for(lock):
                lock.acquire()
        elif not lock.acquire(LOCK_SECONDS):
            raise StoreError(
                f"cannot use the spool {self.path}: waited {LOCK_SECONDS:g} s for {lock.describe()}"
            )

    def wal_size(self) -> int:
        """Return the size of the WAL in bytes; it grows while somebody reads the spool."""
        try:
            return self.path.with_name(f"{self.path.name}-wal").stat().st_size
        except OSError:
            return 0

    def _fetch_one(self, sql: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] | None = self._connection.execute(sql).fetchone()
        if found is None:
            raise corrupt(self.path, "corrupt: its state is missing")
        return found

    def _connect(self) -> sqlite3.Connection:
        with open_files.lock:
            if self._inode is None:
                make_private(self.path)
            elif inode_of(self.path) != self._inode:
                raise self._moved()
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            self._inode = inode_of(self.path)
            open_files.connections[self._inode] += 1
        is_safe = self._durability == "power"
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if is_safe else 'NORMAL'}")
            if is_safe:
                # On macOS, fsync alone does not reach the disk.
                connection.execute("PRAGMA fullfsync = ON")
            # Some builds overwrite what is deleted, which would double the work.
            connection.execute("PRAGMA secure_delete = OFF")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        except BaseException:
            self._disconnect(connection)
            raise
        return connection

    def _disconnect(self, connection: sqlite3.Connection) -> None:
        with open_files.lock:
            connection.close()
            open_files.connections[self._inode] -= 1
            if not open_files.connections[self._inode]:
                del open_files.connections[self._inode]

    def _moved(self) -> StoreError:
        return StoreError(f"the spool {self.path} was moved or removed: restart what uses it")

    def _set_up(self) -> None:
        execute = self._connection.execute
        # One process makes the file. Switching to WAL does not wait for others, as it should.
        with self._locked():
            is_new = not execute("PRAGMA schema_version").fetchone()[0]
            if is_new:
                create_tables(self._connection)
            self._check_version()
            (mode,) = execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise StoreError(
                    f"cannot use the spool {self.path}: no WAL mode there, only {mode}"
                )
            self._check_pages()
            if self._ordered:
                execute(SESSION_INDEX)
        self._note_boot()

    def _check_version(self) -> None:
        (version,) = self._fetch_one("PRAGMA user_version")
        if version != SPOOL_VERSION:
            raise other_version(self.path, version)

    def _check_pages(self) -> None:
        """Find damage now rather than when a page is needed, if that does not take long."""
        if self.path.stat().st_size > _CHECKED_BYTES:
            return
        (found,) = self._fetch_one("PRAGMA quick_check(1)")
        if found != "ok":
            raise corrupt(self.path, f"corrupt: {found}")

    def _note_boot(self) -> None:
        """After a restart of the machine, all payloads are due, and ages are by the time of day."""
        if self._is_of_this_boot():
            return
        with self.transaction():
            if self._is_of_this_boot():
                return  # Another process has done it meanwhile.
            self._connection.execute("UPDATE waiting SET due = 0 WHERE due > 0")
            self._connection.execute(
                "UPDATE waiting SET since = ? - max(0, (? - (SELECT received_at FROM payloads p "
                "WHERE p.id = waiting.id)) / 1000.0)",
                (clock.boot_clock(), clock.wall_clock()),
            )
            self._connection.execute("UPDATE state SET boot = ?", (clock.boot_id(),))

    def _is_of_this_boot(self) -> bool:
        (noted,) = self._fetch_one("SELECT boot FROM state")
        return bool(noted == clock.boot_id())
