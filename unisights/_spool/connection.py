"""A connection to a spool: opens the file, makes transactions, closes the file."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

from unisights._runtime.log import log
from unisights._spool.files import (
    check_spool,
    corrupt,
    explain,
    make_private,
    open_beside,
    open_files,
    primary_code,
)
from unisights._spool.ids import skip_id
from unisights._spool.progress import Progress
from unisights._spool.rescue import leave, rescue_path
from unisights._spool.set_up import other_version, set_up
from unisights._spool.tables import FORMAT
from unisights._sqlite.connection import (
    TRY_SECONDS,
    SQLiteConnection,
    connect,
    uses_lost_index,
)
from unisights._sqlite.file_lock import LOCK_SECONDS, FileLock
from unisights._sqlite.open_database import Inode, OpenDatabase, inode_of, remove_leftovers
from unisights._sqlite.versions import version_of
from unisights.delivery import Durability
from unisights.errors import StoreError

_BUSY_SECONDS = 4.0
"""How long to wait for a transaction of a program that does not know of the file lock.

Less than requests wait for, so that they are told the reason.
"""

_SIBLING_SECONDS = 5.0
"""How long to wait until the other connections of this process have left lost files, too."""


class SpoolConnection:
    """A connection to a spool, for one thread at a time. It is closed before each fork.

    If the files are removed or replaced, the next transaction makes new ones, with what could be
    read of the old ones.

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
        StoreError: the file cannot be used, is no spool, or is one of another version.
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
        self._inode: Inode | None = None  # of the file that is, or was last, open
        self._rescued = rescue_path(path)
        self._next_id = 1  # in that file, when it was left or closed
        self._first_new_id = 1  # after the latest of a file that was removed or moved
        if must_exist and not path.is_file():
            raise StoreError(f"cannot use the spool {path}: there is no such file")
        check_spool(path)
        self._is_locked = False
        self._transaction_lock = self._make_lock()
        self._connection = SQLiteConnection(
            path,
            self._connect,
            busy_seconds=_BUSY_SECONDS,
            disconnect=self._disconnect,
            leave=self._leave,
            opening=self._opening,
        )
        try:
            self._connection.open()
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise explain(path, error) from error
            raise

    def use(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which no other thread uses the connection and no fork closes it.

        A thread that other threads run beside has to be inside one, for all that it reads together.
        """
        return self._connection.use()

    def close(self) -> None:
        """Close the connection. What removed files hold is saved before, or ends with it."""
        try:
            self._leave_before_closing()
        except (StoreError, sqlite3.Error, OSError) as error:
            message = "files of the spool %s were removed, and what they held cannot be saved: %s"
            log(logging.ERROR, "spool_lost", message, self.path, error)
        self._connection.close()
        self._transaction_lock.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Self]:
        """Commit everything inside at the end, or nothing.

        Raises:
            StoreError: it could not be committed; nothing of it was.
        """
        with self.use(), self._locked():
            if not self._connection.is_current:
                self._start_anew()
            try:
                with self._connection.transaction():
                    self._check_version()
                    yield self
            except sqlite3.Error as error:
                if primary_code(error) == sqlite3.SQLITE_FULL:
                    # If the file has room for what is in the WAL, the next transaction succeeds.
                    with contextlib.suppress(sqlite3.Error):
                        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                raise explain(self.path, error) from error

    def keep_current(self) -> None:
        """Go on with new files if these were removed or replaced, and open them if need be.

        Raises:
            StoreError: there can be no new ones.
        """
        if not self._connection.is_current:
            with self.transaction():
                pass

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

    def _check_version(self) -> None:
        """Check that no newer version of unisights has migrated the file meanwhile."""
        connection = self._connection.raw
        if version_of(connection) != FORMAT.version:
            raise other_version(connection, self.path)

    # The lock.

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the spool against other processes, unless it is locked already.

        SQLite waits for them by sleeping, at times for long. A file lock wakes the next one at
        once.
        """
        if self._is_locked:
            yield
            return
        self._lock()
        try:
            yield
        finally:
            self._unlock()

    def _lock(self) -> None:
        self._wait_for(self._transaction_lock)
        try:
            while not self._transaction_lock.is_current:
                # It was removed: others lock another file of that name.
                old, self._transaction_lock = self._transaction_lock, self._make_lock()
                old.close()
                self._wait_for(self._transaction_lock)
        except BaseException:
            self._transaction_lock.release()
            raise
        self._is_locked = True

    def _unlock(self) -> None:
        self._is_locked = False
        self._transaction_lock.release()

    def _wait_for(self, lock: FileLock) -> None:
        """Wait for other processes; forks do not wait for them, nor they for forks."""
        while not lock.try_acquire():
            with self._connection.let_go():
                if self.progress is None:
                    self._wait_briefly_for(lock)
                else:
                    with self.progress.waiting_for(lock):
                        lock.acquire()
                if not self._connection.take_back():
                    lock.release()

    def _wait_briefly_for(self, lock: FileLock) -> None:
        if not lock.acquire(LOCK_SECONDS):
            raise StoreError(
                f"cannot use the spool {self.path}: waited {LOCK_SECONDS:g} s for {lock.describe()}"
            )

    def _make_lock(self) -> FileLock:
        path = self.path.with_name(f"{self.path.name}-lock")
        try:
            return FileLock(path, partial(open_beside, self.path))
        except OSError as error:
            raise explain(self.path, error) from error

    # The files.

    def _start_anew(self) -> None:
        """Leave lost files, and open those that have the names now; the caller holds the lock."""
        try:
            if self._connection.leave_lost_files():
                message = "the files of the spool %s were removed or replaced: using new ones"
                log(logging.WARNING, "spool_replaced", message, self.path)
            self._connection.open()
        except (sqlite3.Error, OSError) as error:
            raise explain(self.path, error) from error

    def _leave_before_closing(self) -> None:
        with self.use():
            if self._connection.is_open and not self._connection.is_current:
                with self._locked():
                    self._connection.leave_lost_files()

    def _leave(self, connection: sqlite3.Connection, files: OpenDatabase) -> None:
        """Save what lost files hold. Only a fork does this without the lock of a transaction."""
        with contextlib.ExitStack() as stack:
            if not self._is_locked:
                # Another thread may be waiting for the lock with the connection's own descriptor.
                lock = self._make_lock()
                stack.callback(lock.close)
                self._wait_briefly_for(lock)
            next_id = leave(connection, files, self.path, self._rescued)
            self._next_id = max(self._next_id, next_id)
            self._rescued = rescue_path(self.path)

    @contextlib.contextmanager
    def _opening(self) -> Iterator[None]:
        """Hold the lock, and wait until SQLite has no lost index of the WAL open.

        It would use that for a new connection, too. The other connections of this process leave it
        under the same lock.
        """
        with self._locked():
            deadline = time.monotonic() + _SIBLING_SECONDS
            while uses_lost_index(self.path):
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"cannot use the spool {self.path}: files of it were removed, and another "
                        "connection of this process still uses them"
                    )
                self._unlock()
                with self._connection.let_go():
                    time.sleep(0.02)
                self._lock()
            yield

    def _connect(self) -> sqlite3.Connection:
        """Connect, and make the file a spool if it is new; the lock is held."""
        check_spool(self.path)
        with open_files.lock:
            remove_leftovers(self.path)
            make_private(self.path)
            connection = connect(self.path, TRY_SECONDS)
            inode = inode_of(self.path)
            open_files.connections[inode] += 1
        try:
            is_other = inode != self._inode
            set_up(
                connection,
                self.path,
                durability=self._durability,
                ordered=self._ordered,
                checks_pages=is_other,
            )
            (next_id,) = connection.execute("SELECT next_id FROM state").fetchone()
            if next_id < self._next_id or (is_other and self._next_id > 1):
                # What this process knows by its number is of another file.
                self._first_new_id = self._next_id
                skip_id(connection, self._first_new_id - 1)
        except BaseException:
            _close(connection, inode)
            raise
        self._inode = inode
        return connection

    def _disconnect(self, connection: sqlite3.Connection) -> None:
        # Others may replace the file until it is opened again.
        with contextlib.suppress(sqlite3.Error, TypeError):
            (next_id,) = connection.execute("SELECT next_id FROM state").fetchone()
            self._next_id = max(self._next_id, next_id)
        _close(connection, self._inode)


def _close(connection: sqlite3.Connection, inode: Inode | None) -> None:
    with open_files.lock:
        connection.close()
        open_files.connections[inode] -= 1
        if not open_files.connections[inode]:
            del open_files.connections[inode]
