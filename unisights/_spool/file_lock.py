"""A lock on a file, which ends with its process."""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: `UnisightsOptions` refuses what needs this module.
    fcntl = None  # type: ignore[assignment]


class FileLock:
    """An exclusive lock on a file, released when it is closed or its process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def is_current(self) -> bool:
        """Whether the path still stands for this file: it may have been removed."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def acquire(self) -> None:
        """Wait for the lock."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it; return whether it is held now."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def restore(self) -> None:
        """Hold the lock by its path again if the file was removed, unless somebody else does."""
        if self.is_current:
            return
        new = FileLock(self._path)
        if new.try_acquire():
            # The kernel keeps the old one locked until here.
            self._file, new._file = new._file, self._file
        new.close()

    def release(self) -> None:
        """Release the lock; it can be acquired again."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self, *, removes: bool = False) -> None:
        """Close the file, and remove it if asked to. A forked parent still holds its lock."""
        if removes:
            self._path.unlink(missing_ok=True)
        os.close(self._file)
