"""How long the end of a process may take, and what part of that each of its endpoints is given.

The whole end takes at most the longest `drain_timeout` of what is open, then `REPORT_SECONDS`, then
`CLOSE_SECONDS`, however many endpoints there are, and whether they end together or one by one.
"""

import time
from dataclasses import dataclass

REPORT_SECONDS = 5.0
"""How long `on_error` may take for what was not handled when draining ended, in seconds."""

CLOSE_SECONDS = 10.0
"""How long the `close` of the handlers may take afterwards, in seconds."""

GAP_SECONDS = 1.0
"""Endpoints that are closed within so many seconds after one another share one end."""


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """What one endpoint is given, in seconds.

    Attributes:
        drain: how long it waits for payloads to be handled.
        report: how long it waits for `on_error` afterwards.
        close: how long it waits for the handler's `close` afterwards.
    """

    drain: float
    report: float
    close: float

    @classmethod
    def alone(cls, drain_timeout: float) -> "TimeLeft":
        """Return the time for an endpoint that is closed while the process goes on."""
        return cls(drain_timeout, REPORT_SECONDS, CLOSE_SECONDS)


class Ending:
    """One end of the process.

    Args:
        drain_timeout: the longest of what was open when it began, in seconds.
        by_signal: whether a signal has begun it. Then what the server closes until its time is over
            belongs to it. Else, it is over as soon as nothing is closed for `GAP_SECONDS`.
    """

    def __init__(self, drain_timeout: float, *, by_signal: bool = False) -> None:
        now = time.monotonic()
        self._drain_until = now + drain_timeout
        self._end = self._drain_until + REPORT_SECONDS + CLOSE_SECONDS
        self._over_at = self._end if by_signal else now + GAP_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether what is closed from now on belongs to another end."""
        return time.monotonic() > self._over_at

    def note_close(self) -> None:
        """Note that something has been closed."""
        self._over_at = max(self._over_at, time.monotonic() + GAP_SECONDS)

    def time_left(self, reporting: int = 1, closing: int = 1) -> TimeLeft:
        """Return what an endpoint is given now.

        All wait for payloads until the same moment, as their handlers run at the same time. What
        comes afterwards takes place in turn if the endpoints end in turn: each gets an equal part
        of what is left, so that the last one can report too.

        Args:
            reporting: how many endpoints that end in turn have something to report, from this one
                on.
            closing: how many of them have a handler to close, likewise.
        """
        now = time.monotonic()
        drain = max(0.0, self._drain_until - now)
        rest = max(0.0, self._end - now - drain)
        report = rest * REPORT_SECONDS / (REPORT_SECONDS + CLOSE_SECONDS)
        return TimeLeft(drain, report / reporting, (rest - report) / closing)

    def time_to_close(self) -> TimeLeft:
        """Return the time for closing the handlers, once everything was drained and reported."""
        return TimeLeft(0.0, 0.0, max(0.0, min(CLOSE_SECONDS, self._end - time.monotonic())))
