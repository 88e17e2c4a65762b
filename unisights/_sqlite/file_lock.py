"""A lock on a file, which ends with its process."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from unisights._runtime.fork import reset_in_children

try:
    import fcntl
except ImportError:  # Windows: `UnisightsOptions` refuses what needs this module.
    fcntl = None  # type: ignore[assignment]

LOCK_SECONDS = 5.0
"""How long the commands wait for a lock that a process holds during a transaction."""

_LOCKS = Path("/proc/locks")

_POLL_SECONDS = 0.02
"""How often a lock is tried whose wait is limited; the kernel knows no limit."""


class FileLock:
    """An exclusive lock on a file, released when it is closed or its process ends.

    A forked child does not keep it: whoever waits for the parent's end must not wait for the
    child's.

    Args:
        path: the file.
        open_file: opens it, and makes it if it is missing.
    """

    def __init__(self, path: Path, open_file: Callable[[Path], int] | None = None) -> None:
        self.path = path
        self._open_file = open_file or _open_file
        self._file: int | None = None
        reset_in_children(self)
        self._file = self._open_file(path)

    @property
    def is_current(self) -> bool:
        """Whether the path still stands for this file: it may have been removed."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def reset_after_fork(self) -> None:
        """Close the file in a child; the lock stays the parent's."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def acquire(self, seconds: float | None = None) -> bool:
        """Wait for the lock, at most so long or without limit; return whether it is held now."""
        if seconds is None:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            return True
        deadline = time.monotonic() + seconds
        while not (is_held := self.try_acquire()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return is_held

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it; return whether it is held now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def restore(self) -> None:
        """Hold the lock by its path again if the file was removed, unless somebody else does."""
        if self.is_current:
            return
        new = FileLock(self.path, self._open_file)
        if new.try_acquire():
            # The kernel keeps the old one locked until here.
            self._file, new._file = new._file, self._file
        new.close()

    def release(self) -> None:
        """Release the lock; it can be acquired again."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self, *, removes: bool = False) -> None:
        """Close the file, and remove it if asked to."""
        if removes:
            self.path.unlink(missing_ok=True)
        self.reset_after_fork()

    def describe(self) -> str:
        """Return the lock in words for people, with the process that holds it if that is known."""
        return f"the lock {self.path}{name_holder(self.path)}"

    @property
    def _descriptor(self) -> int:
        if self._file is None:
            raise OSError(f"the lock {self.path} is closed")
        return self._file


def name_holder(path: Path) -> str:
    """Return a clause that names the process that holds a lock on a file; empty if unknown."""
    holder = _holder_of(path)
    return f", which process {holder} holds" if holder else ""


def _open_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _holder_of(path: Path) -> int:
    """Return the process that holds the lock on a file; 0 if the system does not tell.

    Some file systems, such as Btrfs, tell programs another device than the kernel's list has. Then
    nobody is named: files of two file systems may have the same number.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        found = path.stat()
        device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
        wanted = f"{device}:{found.st_ino}"
        for line in _LOCKS.read_text(encoding="ascii").splitlines():
            # Those that wait have an arrow behind the number.
            _number, kind, *_mode, pid, file, _start, _end = line.split()
            if kind == "FLOCK" and file == wanted:
                return max(int(pid), 0)
    return 0
