"""What has happened lately."""

import time

RECENT_SECONDS = 5.0
"""How long something counts as recent, in seconds."""


class Recent:
    """Whether something has happened lately."""

    def __init__(self) -> None:
        self._until = 0.0

    def note(self) -> None:
        """It happens now."""
        self._until = time.monotonic() + RECENT_SECONDS

    def clear(self) -> None:
        """Forget it."""
        self._until = 0.0

    def __bool__(self) -> bool:
        return time.monotonic() < self._until
