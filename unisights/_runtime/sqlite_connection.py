"""A connection to a SQLite file, which is closed before each fork and opened again when it is used.

By POSIX, a forked child has none of its parent's file locks, and SQLite's library in the child
believes that it has them: what it commits disappears when the parent closes the file.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from unisights._runtime.fork import FORK_SECONDS, ForkGuard, leak, will_fork_unhooked
from unisights._runtime.log import log

Inode = tuple[int, int]
"""The identity of a file, by whatever name: its device and its number."""

_UNHOOKED = (
    "uWSGI is about to fork this process without telling it: set py-call-uwsgi-fork-hooks = true, "
    "or lazy-apps = true, to use the file before that; its workers can use it"
)

_inherited: dict[Inode, str] = {}
"""The files that this process must not open, as its parent has left them open; and why."""


def inode_of(path: Path) -> Inode | None:
    """Return the identity of a file; None if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class SQLiteConnection(ForkGuard):
    """A connection, opened when it is needed. Everything that belongs together is inside `use`.

    Args:
        path: the file.
        connect: opens it.
        disconnect: closes what `connect` has returned.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        disconnect: Callable[[sqlite3.Connection], None] = sqlite3.Connection.close,
    ) -> None:
        self._path = path
        self._connect = connect
        self._disconnect = disconnect
        self._connection: sqlite3.Connection | None = None
        self._inode: Inode | None = None
        super().__init__()

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._connection is not None

    def open(self) -> None:
        """Connect, unless connected.

        Raises:
            sqlite3.Error: the file cannot be opened; or this process has inherited it, or is about
                to be forked without a hook that closes it.
        """
        if self._connection is not None:
            return
        if will_fork_unhooked():
            raise sqlite3.OperationalError(_UNHOOKED)
        if _inherited and (inode := inode_of(self._path)) in _inherited:
            raise sqlite3.OperationalError(_inherited[inode])
        with self.use():
            self._connection = self._connect()
            self._inode = inode_of(self._path)

    def close(self, seconds: float | None = None) -> None:
        """Disconnect, unless disconnected.

        Raises:
            TimeoutError: another thread uses the connection for longer than so many seconds.
        """
        with self.use(seconds):
            self.close_before_fork()

    def close_before_fork(self) -> None:
        """Disconnect; nobody uses it."""
        connection = self._connection
        if connection is not None:
            self._disconnect(connection)
            self._connection = None

    def tell_of_fork(self) -> None:
        """Log that a child was forked that cannot use the file."""
        log(
            logging.ERROR,
            "fork_unsafe",
            "the process was forked while it had been using %s for more than %.0f s: the child has "
            "to be restarted if it needs that file",
            self._path,
            FORK_SECONDS,
        )

    def abandon_in_child(self, reason: str) -> None:
        """Leave the connection to the parent, and refuse to open the file again in this process.

        SQLite knows of the parent's connection, and would not lock the file for another one.
        """
        leak(self._connection)
        self._connection = None
        inode = self._inode or inode_of(self._path)
        if inode is not None:
            _inherited[inode] = reason

    @contextlib.contextmanager
    def transaction(self, seconds: float | None = None) -> Iterator[Self]:
        """Commit everything inside at the end, or nothing.

        Args:
            seconds: how long to wait for another thread; None: without limit.

        Raises:
            TimeoutError: another thread still uses the connection.
        """
        with self.use(seconds):
            self.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self.execute("COMMIT")
            except BaseException:
                # Some errors have rolled back already.
                if self._connection is not None and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Execute a statement."""
        self.open()
        assert self._connection is not None  # noqa: S101  # narrows a type
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement for each row."""
        self.open()
        assert self._connection is not None  # noqa: S101  # narrows a type
        self._connection.executemany(sql, rows)
