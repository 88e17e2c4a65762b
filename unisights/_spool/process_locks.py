"""Which processes are alive: each holds a lock for as long as it lives.

The kernel lets go of a lock when its holder ends, however it ends, so no process has to prove
from time to time that it is there, and no clock has a say.
"""

import glob
import os
import secrets
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: `UnisightsOptions` refuses what needs this module.
    fcntl = None  # type: ignore[assignment]


class Lock:
    """An exclusive lock on a file, let go when it is closed or its process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> None:
        """Wait for the lock."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def try_to_take(self) -> bool:
        """Take the lock if nobody holds it; whether it is held now."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def let_go(self) -> None:
        """Let the lock go; it can be taken again."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self, *, removes: bool = False) -> None:
        """Close the file, and remove it if asked to; in a forked child, the parent keeps it."""
        if removes:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


class ProcessLocks:
    """The locks of a spool's owners: one file each, beside the spool.

    A process's number is random, so that none is given twice: not in a spool that was copied back
    from somewhere, nor after a transaction that failed. Where the file is gone, so is the process.

    Args:
        spool: the spool's file.
    """

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    def enter(self) -> tuple[int, Lock]:
        """Become an owner: a new number, and its lock, which is held before anyone knows of it."""
        owner = secrets.randbits(62) + 1
        lock = Lock(self._file_of(owner))
        lock.take()
        return owner, lock

    def bury(self, owner: int) -> Lock | None:
        """The lock of an owner that is dead, for as long as its rows are taken over; else None."""
        path = self._file_of(owner)
        lock = Lock(path)
        if lock.try_to_take():
            return lock
        lock.close()
        return None

    def any_alive(self) -> bool:
        """Whether any process uses the spool; told without reading it, as it may be corrupt."""
        for path in self._spool.parent.glob(f"{glob.escape(self._spool.name)}-owner-*"):
            lock = Lock(path)
            is_free = lock.try_to_take()
            lock.close()
            if not is_free:
                return True
        return False

    def _file_of(self, owner: int) -> Path:
        return self._spool.with_name(f"{self._spool.name}-owner-{owner}")
