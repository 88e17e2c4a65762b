"""How often something that failed is attempted again, and how long to wait in between."""

from dataclasses import dataclass

from unisights._checks import check_positive, check_seconds
from unisights._runtime.backoff import backoff

__all__ = ["Retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How durable delivery retries a payload, and a sink a batch.

    The pauses between attempts are exponential backoff with equal jitter: each is random, between
    half of a bound and the bound, which doubles from attempt to attempt.

    Attributes:
        attempts: the number of attempts, the first one included.
        pause: the bound of the pause after the first attempt, in seconds.
        max_pause: the greatest bound of a pause, in seconds.

    Raises:
        ConfigurationError: a value cannot work.
    """

    attempts: int
    pause: float = 1.0
    max_pause: float = 60.0

    def __post_init__(self) -> None:
        check_positive("Retry: attempts", self.attempts)
        check_seconds("Retry: pause", self.pause)
        check_seconds("Retry: max_pause", self.max_pause)

    def pause_after(self, attempt: int) -> float:
        """The seconds to wait after the attempt of this number, counted from 1, has failed."""
        return backoff(attempt, first=self.pause, longest=self.max_pause)
