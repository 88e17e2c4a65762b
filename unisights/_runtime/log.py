"""The log of the package: structured, and throttled where a message may come very often.

Each log record has the attribute `event`, a stable code, and values as further attributes, for
formatters that write JSON. Except in debug mode, none of them quotes payloads.
"""

import contextlib
import logging
import threading
import time
from collections import Counter, defaultdict

from unisights._runtime.fork import reset_in_children

logger = logging.getLogger("unisights")

_PERIOD = 1.0
"""A throttled event is logged at most once within this time, in seconds."""


def log(
    level: int,
    event: str,
    message: str,
    *values: object,
    error: BaseException | None = None,
    **fields: object,
) -> None:
    """Log a message.

    Args:
        level: the level, as `logging` defines it.
        event: a code of what has happened, which never changes.
        message: the same for people, with placeholders for values.
        values: the values for the placeholders.
        error: an exception whose traceback is logged too.
        fields: further attributes of the log record, for formatters.
    """
    _write(level, message, values, error, {"event": event, **fields})


class ThrottledLog:
    """Logs each event at most once a second, and counts the messages that it suppresses."""

    def __init__(self) -> None:
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Begin anew: the lock may have been held, and the counts are the parent's."""
        self._lock = threading.Lock()
        self._quiet_until: dict[str, float] = {}
        self._suppressed: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def log(
        self,
        level: int,
        event: str,
        message: str,
        *values: object,
        error: BaseException | None = None,
        **fields: object,
    ) -> None:
        """Log a message as `log` does, or suppress it, counted by its field `reason` if it has one.

        The next message of the event says how many were suppressed, in its attribute `suppressed`.
        """
        now = time.monotonic()
        with self._lock:
            if now < self._quiet_until.get(event, 0.0):
                self._suppressed[event][str(fields.get("reason", event))] += 1
                return
            self._quiet_until[event] = now + _PERIOD
            suppressed = dict(self._suppressed.pop(event, {}))
        if suppressed:
            message += " (and before that %s)"
            listed = ", ".join(f"{count} × {name}" for name, count in suppressed.items())
            values = (*values, listed)
            fields["suppressed"] = suppressed
        _write(level, message, values, error, {"event": event, **fields})


def _write(
    level: int,
    message: str,
    values: tuple[object, ...],
    error: BaseException | None,
    extra: dict[str, object],
) -> None:
    # A filter or handler of the log may raise; that must not stop the work of the caller.
    with contextlib.suppress(Exception):
        # With this stack level, a record names the place that logs, not this function.
        logger.log(level, message, *values, exc_info=error, extra=extra, stacklevel=3)
