"""What became of a payload that was given to a delivery."""

from dataclasses import dataclass

from unisights.stats import RefusalReason


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of a payload; the endpoint makes the response of it.

    `HANDLED` and `QUEUED` are the two that need no more words.

    Attributes:
        refusal: why the payload was not taken, if it was not.
        message: the same for the sender.
        error: what the handler raised, if it failed before the response.
    """

    refusal: RefusalReason | None = None
    message: str = ""
    error: Exception | None = None


HANDLED = Outcome()
"""The handler has succeeded, or there is none; or an equal payload was handled before."""

QUEUED = Outcome()
"""The handler will be called later; or an equal payload was queued before."""

SHUTTING_DOWN = Outcome("shutting_down", "shutting down")
HANDLERS_BUSY = Outcome("queue_full", "too many handlers run for clients that have left")
QUEUE_FULL = Outcome("queue_full", "the queue is full")
SPOOL_FULL = Outcome("spool_full", "the spool is full")
SPOOL_FAILED = Outcome("spool_failed", "the spool cannot be written")
