"""The lock beside the file of SQLiteSink, under which one process after the other uses the file."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from unisights._runtime.fork import ForkGuard, reset_in_children
from unisights._sqlite.file_lock import FileLock
from unisights._sqlite.mounts import refuse_file_mount
from unisights.errors import StoreError

_PAUSE_SECONDS = 0.005
"""How long to wait between two tries to get the lock."""


class DatabaseLock:
    """A lock on the file `FILE-lock`, for one thread and one process at a time.

    SQLite's own locks are on the files beside the database. If these are removed, processes lock
    different files, and write to one database at once. So all transactions, and each opening and
    closing of the database, happen under this lock.

    Args:
        path: the database; a symbolic link is followed, as SQLite does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Begin without the lock in a child; its file is closed there by itself."""
        self._lock: FileLock | None = None
        self._holder: int | None = None  # a thread

    @property
    def is_held(self) -> bool:
        """Whether a thread of this process holds it, or has got it from one that does."""
        return self._holder is not None

    @contextlib.contextmanager
    def held(self, guard: ForkGuard | None, seconds: float) -> Iterator[None]:
        """Hold the lock, unless this thread does so already.

        Args:
            guard: what the caller uses: forks and other threads may use it while the caller waits.
                None: during a fork, which nobody may enter.
            seconds: how long to wait for other processes.

        Raises:
            StoreError: somebody else holds the lock for longer, or its file cannot be made.
        """
        thread = threading.get_ident()
        if self._holder == thread:
            yield
            return
        deadline = time.monotonic() + seconds
        while not self._try():
            if time.monotonic() >= deadline:
                lock = "another thread" if self._lock is None else self._lock.describe()
                raise StoreError(f"cannot use it: waited {seconds:g} s for {lock}")
            with contextlib.nullcontext() if guard is None else guard.let_go():
                time.sleep(_PAUSE_SECONDS)
        self._holder = thread
        try:
            yield
        finally:
            self._release()

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Count as held: this thread holds the lock by another object, for the same database."""
        holder, self._holder = self._holder, threading.get_ident()
        try:
            yield
        finally:
            self._holder = holder

    def close(self) -> None:
        """Close the lock's file, unless the lock is held."""
        if self._holder is None and self._lock is not None:
            self._lock.close()
            self._lock = None

    def _try(self) -> bool:
        if self._holder is not None:
            return False  # Another thread waits for something else with it.
        try:
            lock = self._current()
            if not lock.try_acquire():
                return False
            if self._is_current(lock):
                return True
            lock.release()
        except OSError as error:
            raise StoreError(f"cannot lock it: {error}") from error
        return False

    def _release(self) -> None:
        # In a child that was forked inside, there is no lock any more.
        lock, self._holder = self._lock, None
        if lock is not None:
            lock.release()

    def _current(self) -> FileLock:
        old = self._lock
        if old is not None and self._is_current(old):
            return old
        refuse_file_mount(self._path)
        real = self._path.resolve()
        path = _lock_of(real)
        _make(path, real)
        self._lock = FileLock(path)
        if old is not None:
            old.close()
        return self._lock

    def _is_current(self, lock: FileLock) -> bool:
        """Whether it is the lock of the file that has the name now."""
        return lock.path == _lock_of(self._path.resolve()) and lock.is_current


def _lock_of(real: Path) -> Path:
    return real.with_name(f"{real.name}-lock")


def _make(path: Path, database: Path) -> None:
    """Make the lock's file, if it is missing: whoever may use the database may use the lock."""
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o666)
    except FileExistsError:
        return
    try:
        with contextlib.suppress(FileNotFoundError):
            found = database.stat()
            os.fchmod(descriptor, found.st_mode & 0o666)
            if os.geteuid() == 0:
                os.fchown(descriptor, found.st_uid, found.st_gid)
    finally:
        os.close(descriptor)
