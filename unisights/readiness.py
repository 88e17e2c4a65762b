"""Whether an endpoint is ready to accept payloads."""

from dataclasses import dataclass
from typing import Literal

NotReadyReason = Literal["closed", "handler_not_open", "queue_full", "spool_full", "spool_failed"]
"""Why an endpoint is not ready; stable codes."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an endpoint is ready to accept payloads, in this process.

    Attributes:
        reasons: why it is not ready; empty if it is. `"closed"`: it was closed. `"queue_full"`: the
            queue has no room, or too many handlers run for clients that have left. The others have
            happened within the last 5 seconds: `"handler_not_open"`: the handler's `open` has
            failed; `"spool_full"`: a payload was refused because the spool had no room;
            `"spool_failed"`: the spool could not be opened or written. After that time they are
            forgotten, so that the next payload can try again.
            `"spool_failed"` also stays while the spool waits for another process or for its disk.
    """

    reasons: tuple[NotReadyReason, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether there is no reason against it."""
        return not self.reasons
