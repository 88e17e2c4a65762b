"""Process locks: each process holds a file lock for as long as it lives.

The kernel releases a lock when its holder ends, in whatever way. So others see at once whether a
process is alive, without heartbeats and without a clock.
"""

import glob
import secrets
import time
from functools import partial
from pathlib import Path

from unisights._spool.files import open_beside
from unisights._sqlite.file_lock import FileLock

_MISSING_SECONDS = 2.5
"""A process whose lock file was removed has so long to make it anew before it counts as ended."""


class ProcessLocks:
    """The process locks of a spool: a file for each process, beside the spool.

    A process is known as an owner, by a random number, so that no number is given twice: not in a
    spool that was copied back, nor after a transaction that failed. An owner whose lock file stays
    away counts as ended.

    Args:
        path: the spool's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = partial(open_beside, path)
        self._missing: dict[int, float] = {}

    def register(self) -> tuple[int, FileLock]:
        """Become an owner: return a new number, and its lock, which is held from the start."""
        owner = secrets.randbits(62) + 1
        lock = FileLock(self._file_of(owner), self._open)
        lock.acquire()
        return owner, lock

    def lock_if_dead(self, owner: int) -> FileLock | None:
        """Take the lock of an owner whose process has ended; None if it is alive.

        It is to be held while the owner's payloads are taken over, so that only one process does
        that.
        """
        if self._may_come_back(owner):
            return None
        lock = FileLock(self._file_of(owner), self._open)
        if lock.try_acquire():
            return lock
        lock.close()
        return None

    def _may_come_back(self, owner: int) -> bool:
        """Return whether an owner's lock file was removed, but its process may make it anew."""
        if self._file_of(owner).exists():
            self._missing.pop(owner, None)
            return False
        now = time.monotonic()
        since = self._missing.setdefault(owner, now)
        return now - since < _MISSING_SECONDS

    def any_alive(self) -> bool:
        """Return whether any process uses the spool, without reading it, as it may be corrupt."""
        for path in self._path.parent.glob(f"{glob.escape(self._path.name)}-owner-*"):
            lock = FileLock(path, self._open)
            is_free = lock.try_acquire()
            lock.close()
            if not is_free:
                return True
        return False

    def _file_of(self, owner: int) -> Path:
        return self._path.with_name(f"{self._path.name}-owner-{owner}")
