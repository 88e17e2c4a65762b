"""What the thread that uses a spool is doing, for those who wait for it."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from unisights._runtime.fork import is_forking
from unisights._sqlite.file_lock import FileLock
from unisights.errors import StoreError


class Progress:
    """What one thread is doing with a spool, and since when.

    The thread may have to wait for ever: for a process that was stopped while it holds a lock, or
    for a disk that hangs. Nobody can end such a wait. So whoever waits for the thread does so for a
    limited time, and asks here what to tell.

    Args:
        path: the spool's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since: float | None = None  # by `time.monotonic`
        self._lock: FileLock | None = None

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Use the spool; to be called in the thread."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    @contextlib.contextmanager
    def waiting_for(self, lock: FileLock) -> Iterator[None]:
        """Wait for a lock, inside a step."""
        self._lock = lock
        try:
            yield
        finally:
            self._lock = None

    @property
    def seconds(self) -> float:
        """For how long the present step has taken; 0 if there is none."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def error(self) -> StoreError:
        """Return the error of those who do not wait any longer."""
        if (lock := self._lock) is not None:
            what = f"for {lock.describe()}"
        elif is_forking():
            what = "for a fork of this process"
        else:
            what = "until a read or a write of the file has ended"
        return StoreError(
            f"cannot use the spool {self._path}: it has been waiting for {self.seconds:.1f} s "
            f"{what}; it goes on by itself once that is over"
        )
