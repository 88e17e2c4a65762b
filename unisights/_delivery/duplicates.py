"""Which payloads were accepted lately, in the memory of one process."""

import threading
import time
from collections import OrderedDict

from unisights._runtime.fork import forget_in_children

MAX_REMEMBERED = 65_536
"""At most so many payloads are remembered, in about 12 MB: who sends them may be an attacker. What
falls out is not recognised when it comes again."""


class Window:
    """The content ids that were accepted within some seconds; a forked child begins anew.

    Args:
        seconds: for how long they are remembered, by a clock that nobody can set.

    Attributes:
        lock: to hold while deciding about a payload, where that is quick.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.forget()
        forget_in_children(self)

    def forget(self) -> None:
        """Begin anew."""
        self.lock = threading.RLock()
        # The order of coming is the order of leaving.
        self._until: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, content_id: str) -> bool:
        """Whether a payload was accepted within the window."""
        with self.lock:
            return self._until.get(content_id, 0.0) > time.monotonic()

    def add(self, content_id: str) -> None:
        """Remember a payload that is safe now; one that is known already as of then."""
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
