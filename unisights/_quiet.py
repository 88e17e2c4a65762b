"""Logging what may happen very often, without filling the log."""

import contextlib
import logging
import threading
import time

logger = logging.getLogger("unisights")


class QuietLog:
    """Logs at most once a second, and says how often it was silent in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0
        self._untold = 0

    def log(
        self, level: int, message: str, *values: object, error: BaseException | None = None
    ) -> None:
        """Log a message, with an exception's traceback if there is one."""
        now = time.monotonic()
        with self._lock:
            if now < self._next:
                self._untold += 1
                return
            self._next = now + 1.0
            untold, self._untold = self._untold, 0
        if untold:
            message += f" (and {untold} more like it before)"
        # What is told of goes on, whatever the user's filters of the log raise.
        with contextlib.suppress(Exception):
            logger.log(level, message, *values, exc_info=error)
