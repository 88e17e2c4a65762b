"""How often something that failed is attempted, and how long to wait in between."""

from dataclasses import dataclass

from unisights._runtime.backoff import backoff
from unisights.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How a sink retries a batch that failed for a transient reason, such as a lost connection.

    The pauses between attempts are exponential backoff with full jitter: each is random, between 0
    and a bound that doubles from attempt to attempt.

    Attributes:
        attempts: the number of attempts, the first one included.
        pause: the bound of the pause after the first attempt, in seconds.
        max_pause: the greatest bound of a pause, in seconds.
        timeout: how long one attempt may take, in seconds.

    Raises:
        ConfigurationError: a value is out of range.
    """

    attempts: int = 4
    pause: float = 0.2
    max_pause: float = 2.0
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError("Retry: attempts must be a positive number")
        if self.pause < 0 or self.max_pause < 0 or self.timeout <= 0:
            raise ConfigurationError("Retry: pauses and timeout must be numbers of seconds")

    def pause_after(self, attempt: int) -> float:
        """The seconds to wait after the attempt of this number, counted from 1, has failed."""
        return backoff(attempt, first=self.pause, longest=self.max_pause)
