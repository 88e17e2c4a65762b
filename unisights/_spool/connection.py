"""A connection to a spool: opens the file, makes transactions, closes the file."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from unisights._runtime.log import log
from unisights._spool.file_lock import FileLock
from unisights._spool.files import (
    check_spool,
    corrupt,
    explain,
    give_to_owner_of,
    make_private,
    open_files,
    primary_code,
)
from unisights._spool.ids import skip_id
from unisights._spool.rescue import leave
from unisights._spool.set_up import other_version, set_up
from unisights._spool.tables import FORMAT
from unisights._sqlite.open_database import OpenDatabase, inode_of, remove_leftovers
from unisights._sqlite.versions import version_of
from unisights.delivery import Durability
from unisights.errors import StoreError

_BUSY_SECONDS = 5.0
"""How long SQLite waits for another connection's transaction."""

_SIBLING_SECONDS = 5.0
"""How long to wait until the other connections of this process have left lost files, too."""


class SpoolConnection:
    """A connection to a spool, for one thread at a time. It must not cross a fork.

    If the files are removed or replaced, the next transaction makes new ones, with what could be
    read of the old ones.

    Args:
        path: the file; it is made if it does not exist, unless `must_exist` is set.
        durability: whether each commit waits until the disk has it.
        ordered: whether payloads of one session are delivered one after the other.
        must_exist: do not make the file.

    Attributes:
        path: the file.

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
    ) -> None:
        self.path = path
        self._durability = durability
        self._ordered = ordered
        self._is_open = False
        self._first_new_id = 1  # after the latest of a file that was removed or moved
        if must_exist and not path.is_file():
            raise StoreError(f"cannot use the spool {path}: there is no such file")
        check_spool(path)
        self._transaction_lock = self._make_lock()
        try:
            with self._locked():
                self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._is_open:
            self._disconnect()
        self._transaction_lock.close()

    def leave_to_parent(self) -> None:
        """In a forked child: leave the connection to the parent, and do not keep its lock."""
        self._transaction_lock.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Self]:
        """Commit everything inside at the end, or nothing.

        Raises:
            StoreError: it could not be committed; nothing of it was.
        """
        # SQLite waits for other connections by sleeping, at times for long. A file lock wakes the
        # next one at once.
        with self._locked():
            if not self._is_current:
                self._start_anew()
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    self._check_version()
                    yield self
                    self._connection.execute("COMMIT")
                except BaseException:
                    # Some errors have rolled back already.
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                if primary_code(error) == sqlite3.SQLITE_FULL:
                    # If the file has room for what is in the WAL, the next transaction succeeds.
                    with contextlib.suppress(sqlite3.Error):
                        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                raise explain(self.path, error) from error

    def keep_current(self) -> None:
        """Go on with new files if these were removed or replaced.

        Raises:
            StoreError: there can be no new ones.
        """
        if not self._is_current:
            with self.transaction():
                pass

    def wal_size(self) -> int:
        """Return the size of the WAL in bytes; it grows while somebody reads the spool."""
        try:
            return self.path.with_name(f"{self.path.name}-wal").stat().st_size
        except OSError:
            return 0

    def _attach(self) -> None:
        """Called after the connection was made, or made anew."""

    @property
    def _is_current(self) -> bool:
        return self._is_open and self._files.is_current

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock that all processes of the spool share."""
        self._transaction_lock.acquire()
        try:
            while not self._transaction_lock.is_current:
                # It was removed: others lock another file of that name.
                self._transaction_lock.close()
                self._transaction_lock = self._make_lock()
                self._transaction_lock.acquire()
            yield
        finally:
            self._transaction_lock.release()

    def _make_lock(self) -> FileLock:
        path = self.path.with_name(f"{self.path.name}-lock")
        try:
            lock = FileLock(path)
            if self.path.exists():
                give_to_owner_of(self.path, path)
        except OSError as error:
            raise explain(self.path, error) from error
        return lock

    def _fetch_one(self, sql: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] | None = self._connection.execute(sql).fetchone()
        if found is None:
            raise corrupt(self.path, "corrupt: its state is missing")
        return found

    def _start_anew(self) -> None:
        """Leave the lost files, and open or make new ones; the caller holds the lock."""
        try:
            if self._is_open:
                next_id = leave(self._connection, self._files, self.path)
                self._first_new_id = max(self._first_new_id, next_id)
                self._disconnect()
                message = "the files of the spool %s were removed or replaced: using new ones"
                log(logging.WARNING, "spool_replaced", message, self.path)
            self._wait_for_siblings()
            check_spool(self.path)
            self._open()
            skip_id(self._connection, self._first_new_id - 1)
        except (sqlite3.Error, OSError) as error:
            raise explain(self.path, error) from error

    def _wait_for_siblings(self) -> None:
        """Wait until no connection of this process has the lost index of the WAL open.

        As long as there is one, SQLite would use that index for a new connection, too.
        """
        deadline = time.monotonic() + _SIBLING_SECONDS
        while open_files.uses_lost_index(self._files.index_inode):
            if time.monotonic() > deadline:
                raise StoreError(
                    f"cannot use the spool {self.path}: files of it were removed, and another "
                    "connection of this process still uses them"
                )
            self._transaction_lock.release()
            time.sleep(0.02)
            self._transaction_lock.acquire()

    def _open(self) -> None:
        """Connect, and make the file a spool if it is new; the caller holds the lock."""
        try:
            self._connect()
            try:
                set_up(
                    self._connection,
                    self.path,
                    durability=self._durability,
                    ordered=self._ordered,
                )
                # It has read by now, so that SQLite has opened the WAL.
                self._files = OpenDatabase(self.path)
                with open_files.lock:
                    open_files.databases.add(self._files)
            except BaseException:
                self._close_connection()
                raise
        except (sqlite3.Error, OSError) as error:
            raise explain(self.path, error) from error
        self._is_open = True
        self._attach()

    def _connect(self) -> None:
        with open_files.lock:
            remove_leftovers(self.path)
            make_private(self.path)
            self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._inode = inode_of(self.path)
            open_files.connections[self._inode] += 1

    def _disconnect(self) -> None:
        self._is_open = False
        self._close_connection()
        with open_files.lock:
            open_files.databases.discard(self._files)
        self._files.close()

    def _close_connection(self) -> None:
        with open_files.lock:
            self._connection.close()
            open_files.connections[self._inode] -= 1
            if not open_files.connections[self._inode]:
                del open_files.connections[self._inode]

    def _check_version(self) -> None:
        """Check that no newer version of unisights has migrated the file meanwhile."""
        if version_of(self._connection) != FORMAT.version:
            raise other_version(self._connection, self.path)
