"""A spool for one process's tests, in the place of the one that `Durable` names.

What a test stores must not wait for a server, nor may a test deliver what a server has stored.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from unisights._delivery.spool_runner import SpoolRunner
from unisights._runtime import shutdown
from unisights._runtime.ending import TimeLeft


class TemporarySpool:
    """A spool in a directory of its own, which is removed when the process ends.

    Args:
        make_runner: makes what runs the spool, given its file.

    Attributes:
        runner: what runs the spool.
        drain_timeout: the end of the process does not wait for what is in it.
    """

    name = "a temporary spool"
    drain_timeout = 0.0
    has_to_report = has_to_close = False

    def __init__(self, make_runner: Callable[[Path], SpoolRunner]) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="unisights-"))
        self.runner = make_runner(self._directory / "events.spool")
        # Test runners end their processes by signals, too.
        shutdown.close_at_exit(self)

    def close(self, left: TimeLeft) -> None:
        """Close the spool, and remove it."""
        self.runner.close(left.drain)
        shutil.rmtree(self._directory, ignore_errors=True)

    def drain_at_signal(self, left: TimeLeft) -> None:
        """Do nothing: what is in it is dropped."""

    def finish(self, left: TimeLeft) -> None:
        """Do nothing more."""
