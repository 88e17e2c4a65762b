"""What follows from a failed attempt: another one, and when, or a dead letter."""

from unisights._runtime.backoff import backoff
from unisights.config import UnisightsOptions


class RetryPolicy:
    """Decides what follows from a failed attempt to deliver a payload of the spool.

    Args:
        options: `retry_delay`, `retry_max_delay`, `max_attempts` and `max_age` are used.
    """

    def __init__(self, options: UnisightsOptions) -> None:
        self._first = options.retry_delay
        self._longest = options.retry_max_delay
        self._max_age = options.max_age
        self.max_attempts = options.max_attempts

    def is_too_old(self, age: float) -> bool:
        """Return whether a payload has waited too long for an attempt, in seconds."""
        return age > self._max_age

    def delay_after(self, attempt: int) -> float | None:
        """Return after how many seconds to attempt again; None: it becomes a dead letter.

        Args:
            attempt: the number of the attempt that has failed, counted from 1.
        """
        if attempt >= self.max_attempts:
            return None
        return backoff(attempt, first=self._first, longest=self._longest)
