"""The bounds of a batch."""

from dataclasses import dataclass

from unisights.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The bounds of a batch: the payloads that a sink writes at once.

    Payloads that arrive while a batch is being written make up the next one. So batches grow with
    the load, even with a `linger` of 0.

    Attributes:
        max_payloads: the greatest number of payloads in a batch.
        max_bytes: the greatest size of a batch, in bytes as they are written. A payload that is
            larger is a batch of its own.
        linger: how long a batch that is not full waits for more payloads, in seconds.
        max_waiting_bytes: the greatest sum of the sizes of payloads that wait to be written.
            Beyond it, a payload fails at once.

    Raises:
        ConfigurationError: a value is out of range.
    """

    max_payloads: int = 500
    max_bytes: int = 1024 * 1024
    linger: float = 0.0
    max_waiting_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in ("max_payloads", "max_bytes", "max_waiting_bytes"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"Batch: {name} must be a positive number")
        if not 0 <= self.linger <= 60:
            raise ConfigurationError("Batch: linger must be a number of seconds from 0 to 60")
