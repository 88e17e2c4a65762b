"""A connection to a SQLite file, which is closed before each fork and opened again when it is used.

By POSIX, a forked child has none of its parent's file locks, and SQLite's library in the child
believes that it has them: what it commits disappears when the parent closes the file.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from unisights._runtime.fork import ForkGuard, leak, will_fork_unhooked
from unisights._runtime.log import log
from unisights._sqlite.open_database import Inode, OpenDatabase, inode_of

_UNHOOKED = (
    "uWSGI is about to fork this process without telling it: set py-call-uwsgi-fork-hooks = true, "
    "or lazy-apps = true, to use the file before that; its workers can use it"
)

TRY_SECONDS = 0.2
"""How long SQLite itself waits for another transaction. A fork waits for it, so it is short."""

_PAUSE_SECONDS = 0.01
"""For how long forks can have a connection between two tries to begin a transaction."""

_inherited: dict[Inode, str] = {}
"""The files that this process must not open, as its parent has left them open; and why."""

_open: set[OpenDatabase] = set()
"""What the connections of this process have open."""


def connect(path: Path, seconds: float = 5.0, *, creates: bool = False) -> sqlite3.Connection:
    """Connect to a file, in any thread.

    Args:
        path: the file.
        seconds: how long SQLite waits for another connection's transaction.
        creates: make the file if it does not exist, with permissions that SQLite chooses.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if creates else 'rw'}",
        uri=True,
        timeout=seconds,
        isolation_level=None,
        check_same_thread=False,
    )


class SQLiteConnection(ForkGuard):
    """A connection, opened when it is needed. Everything that belongs together is inside `use`.

    Args:
        path: the file.
        connect: opens it, in WAL mode, and reads from it.
        disconnect: closes what `connect` has returned.
        busy_seconds: how long to wait for another connection's transaction, to open the file or to
            begin a transaction. Forks do not wait for that.
        leave: is called before files are closed that were removed or replaced, to save what they
            hold. If it raises, they stay open.
        opening: returns a context inside which the file is opened.

    Attributes:
        files: the files that are open; None if none are.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        *,
        busy_seconds: float,
        disconnect: Callable[[sqlite3.Connection], None] = sqlite3.Connection.close,
        leave: Callable[[sqlite3.Connection, OpenDatabase], None],
        opening: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._path = path
        self._connect = connect
        self._busy_seconds = busy_seconds
        self._disconnect = disconnect
        self._leave_files = leave
        self._opening = opening
        self._connection: sqlite3.Connection | None = None
        self.files: OpenDatabase | None = None
        super().__init__()

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._connection is not None

    @property
    def is_current(self) -> bool:
        """Whether it is connected to the files that have their names by now."""
        files = self.files
        return files is not None and files.is_current

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection itself, which is opened for it; to be used inside `use`."""
        self.open()
        assert self._connection is not None  # noqa: S101  # narrows a type
        return self._connection

    def open(self) -> None:
        """Connect, unless connected.

        Raises:
            sqlite3.Error: the file cannot be opened; or this process has inherited it, or is about
                to be forked without a hook that closes it.
            OSError: likewise.
        """
        if self._connection is not None:
            return
        if will_fork_unhooked():
            raise sqlite3.OperationalError(_UNHOOKED)
        if _inherited and (inode := inode_of(self._path)) in _inherited:
            raise sqlite3.OperationalError(_inherited[inode])
        with self.use(), self._opening():
            self._patiently(self._open)

    def _open(self) -> None:
        # Another thread may have opened it while this one waited for other processes.
        if self._connection is not None:
            return
        connection = self._connect()
        try:
            self.files = OpenDatabase(self._path)
        except BaseException:
            self._disconnect(connection)
            raise
        _open.add(self.files)
        self._connection = connection

    def _patiently(self, attempt: Callable[[], object]) -> None:
        """Do something, again and again as long as another connection's transaction forbids it."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                attempt()
            except sqlite3.Error as error:
                is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() >= deadline:
                    raise
            else:
                return
            with self.let_go():
                time.sleep(_PAUSE_SECONDS)

    def close(self, seconds: float | None = None) -> None:
        """Disconnect, unless disconnected.

        Raises:
            TimeoutError: another thread uses the connection for longer than so many seconds.
        """
        with self.use(seconds):
            self._close()

    def leave_lost_files(self) -> bool:
        """Disconnect if the files were removed or replaced; return whether they were."""
        with self.use():
            connection, files = self._connection, self.files
            if connection is None or files is None or files.is_current:
                return False
            # Readers may have to end before: nobody could read these files later.
            connection.execute(f"PRAGMA busy_timeout = {int(self._busy_seconds * 1000)}")
            self._leave_files(connection, files)
            self._close()
            return True

    def close_before_fork(self) -> None:
        """Disconnect; nobody uses it. What lost files hold would end with this connection."""
        if not self.leave_lost_files():
            self._close()

    def _close(self) -> None:
        connection, files = self._connection, self.files
        if connection is not None and files is not None:
            with files.keeping_successor():
                self._disconnect(connection)
            self._connection = self.files = None
            _open.discard(files)
            files.close()

    def tell_of_fork(self, why: str) -> None:
        """Log that a child was forked that cannot use the file."""
        log(
            logging.ERROR,
            "fork_unsafe",
            "the process was forked with %s open, as %s: restart the child if it needs that file",
            self._path,
            why,
        )

    def abandon_in_child(self, reason: str) -> None:
        """Leave the connection to the parent, and refuse to open the file again in this process.

        SQLite knows of the parent's connection, and would not lock the file for another one.
        """
        inode = inode_of(self._path) if self.files is None else self.files.inode
        leak(self._connection)
        self._connection = self.files = None
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
            self._patiently(lambda: self.execute("BEGIN IMMEDIATE"))
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
        return self.raw.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement for each row."""
        self.raw.executemany(sql, rows)


def uses_lost_index(path: Path) -> bool:
    """Return whether a connection of this process has a file open, and has lost its WAL or index.

    As long as there is one, SQLite would use that index for a new connection, too.
    """
    inode = inode_of(path)
    return inode is not None and any(
        files.inode == inode and not files.is_current for files in list(_open)
    )
