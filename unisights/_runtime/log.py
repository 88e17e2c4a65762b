"""Logging: structured, and quiet about what may happen very often.

Each record has an `event`, a stable code, and its values as attributes beside the message, for
formatters that write JSON. None of them holds what payloads hold.
"""

import contextlib
import logging
import threading
import time
from collections import Counter, defaultdict

from unisights._runtime.fork import forget_in_children

logger = logging.getLogger("unisights")

_SILENT_SECONDS = 1.0


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
        level: the level, as `logging` has it.
        event: what has happened, as a code that never changes.
        message: the same for people, with places for values.
        values: what goes there.
        error: an exception whose traceback is logged too.
        fields: what formatters find as the record's attributes.
    """
    _write(level, message, values, error, {"event": event, **fields})


class ThrottledLog:
    """Logs each event at most once a second, and says then how often it was silent."""

    def __init__(self) -> None:
        self.forget()
        forget_in_children(self)

    def forget(self) -> None:
        """Begin anew."""
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}
        self._untold: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def log(
        self,
        level: int,
        event: str,
        message: str,
        *values: object,
        error: BaseException | None = None,
        **fields: object,
    ) -> None:
        """Log a message as `log` does, or count it by its field `reason`, if it has one."""
        now = time.monotonic()
        with self._lock:
            if now < self._next.get(event, 0.0):
                self._untold[event][str(fields.get("reason", event))] += 1
                return
            self._next[event] = now + _SILENT_SECONDS
            untold = dict(self._untold.pop(event, {}))
        if untold:
            message += " (and before that %s)"
            values = (*values, ", ".join(f"{count} × {name}" for name, count in untold.items()))
            fields["untold"] = untold
        _write(level, message, values, error, {"event": event, **fields})


def _write(
    level: int,
    message: str,
    values: tuple[object, ...],
    error: BaseException | None,
    extra: dict[str, object],
) -> None:
    # What is told of goes on, whatever the user's filters of the log raise.
    with contextlib.suppress(Exception):
        # Records name the place that had something to say.
        logger.log(level, message, *values, exc_info=error, extra=extra, stacklevel=3)
