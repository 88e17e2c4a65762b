"""Process locks: each process holds a file lock for as long as it lives.

The kernel releases a lock when its holder ends, in whatever way. So others see at once whether a
process is alive, without heartbeats and without a clock.
"""

import glob
import os
import secrets
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

    def release(self) -> None:
        """Release the lock; it can be acquired again."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self, *, removes: bool = False) -> None:
        """Close the file, and remove it if asked to. A forked parent still holds its lock."""
        if removes:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


class ProcessLocks:
    """The process locks of a spool: a file for each process, beside the spool.

    A process is known as an owner, by a random number, so that no number is given twice: not in a
    spool that was copied back, nor after a transaction that failed. Without a file there is no
    process.

    Args:
        spool: the spool's file.
    """

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    def register(self) -> tuple[int, FileLock]:
        """Become an owner: return a new number, and its lock, which is held from the start."""
        owner = secrets.randbits(62) + 1
        lock = FileLock(self._file_of(owner))
        lock.acquire()
        return owner, lock

    def lock_if_dead(self, owner: int) -> FileLock | None:
        """Take the lock of an owner whose process has ended; None if it is alive.

        It is to be held while its rows are taken over, so that only one process does that.
        """
        lock = FileLock(self._file_of(owner))
        if lock.try_acquire():
            return lock
        lock.close()
        return None

    def any_alive(self) -> bool:
        """Return whether any process uses the spool, without reading it, as it may be corrupt."""
        for path in self._spool.parent.glob(f"{glob.escape(self._spool.name)}-owner-*"):
            lock = FileLock(path)
            is_free = lock.try_acquire()
            lock.close()
            if not is_free:
                return True
        return False

    def _file_of(self, owner: int) -> Path:
        return self._spool.with_name(f"{self._spool.name}-owner-{owner}")
