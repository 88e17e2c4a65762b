"""Drains: threads that wait until what is in the spool has been delivered or is a dead letter."""

import threading

from unisights._spool.store import Spool


class Drain:
    """One wait.

    Attributes:
        ended: is set when the wait is over.
        last: the number of the last payload that is waited for; None: not known yet.
        is_done: whether all of them have been delivered or are dead letters.
    """

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.last: int | None = None
        self.is_done = False


class Drains:
    """The waits of one process; only the spool's thread looks at the spool.

    Args:
        spool: the connection.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._drains: list[Drain] = []

    def add(self) -> Drain:
        """Begin a wait."""
        drain = Drain()
        self._drains.append(drain)
        return drain

    def remove(self, drain: Drain) -> None:
        """End a wait, done or not."""
        self._drains.remove(drain)

    def check(self) -> None:
        """End the waits for payloads that are not in the spool any more."""
        for drain in self._drains.copy():
            first, last = self._spool.span()
            if drain.last is None:
                drain.last = last
            if first is None or drain.last is None or first > drain.last:
                drain.is_done = True
                drain.ended.set()

    def end(self) -> None:
        """End all waits, as the spool is closed."""
        for drain in self._drains.copy():
            drain.ended.set()
