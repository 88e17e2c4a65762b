"""Which payloads were accepted lately, in the memory of one process."""

import threading
import time
from collections import OrderedDict

from unisights._runtime.fork import reset_in_children

MAX_REMEMBERED = 65_536
"""At most so many payloads are remembered, in about 12 MB, as their sender may be an attacker.
Beyond that the oldest are forgotten, and are not recognised when they come again."""


class Window:
    """The content ids that were accepted within some seconds; a forked child begins anew.

    Args:
        seconds: for how long they are remembered, by a clock that nobody can set.

    Attributes:
        lock: is held while it is decided about a payload, where deciding takes no time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Remember nothing; the lock may have been held."""
        self.lock = threading.RLock()
        # All are remembered for the same time, so the first that came is the first to be forgotten.
        self._until: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, content_id: str) -> bool:
        """Whether a payload was accepted within the window."""
        with self.lock:
            return self._until.get(content_id, 0.0) > time.monotonic()

    def add(self, content_id: str) -> None:
        """Remember a payload that is safe now; one that is remembered already keeps its time."""
        now = time.monotonic()
        with self.lock:
            while self._until and next(iter(self._until.values())) <= now:
                self._until.popitem(last=False)
            if content_id not in self._until:
                self._until[content_id] = now + self._seconds
            if len(self._until) > MAX_REMEMBERED:
                self._until.popitem(last=False)


def make_window(seconds: float) -> Window | None:
    """Make the window that the option `duplicate_window` asks for, if it asks for one."""
    return Window(seconds) if seconds else None
