"""What waits to be written to the spool, in the next transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from unisights._spool.puts import NewPut, RejectedPut
from unisights._spool.rejected import RejectedRow
from unisights._spool.store import Spool

_MAX_PUTS = 512
"""At most so many puts share a commit, so that the first ones do not wait for too many."""


@dataclass(slots=True)
class Pending:
    """What is written in one transaction.

    Attributes:
        puts: payloads to be stored.
        rejected: rejected records to be stored.
        completed: the numbers of payloads that were delivered.
        changes: what else follows from attempts.
        due_at: when the first of what is rescheduled is due, by `time.monotonic`.
    """

    puts: list[NewPut] = field(default_factory=list)
    rejected: list[RejectedPut] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)
    changes: list[Callable[[Spool], None]] = field(default_factory=list)
    due_at: float = float("inf")

    @property
    def has_puts(self) -> bool:
        """Whether requests wait for it."""
        return bool(self.puts or self.rejected)

    @property
    def has_results(self) -> bool:
        """Whether results of attempts are to be written."""
        return bool(self.completed or self.changes)

    def add(self, put: NewPut | RejectedPut) -> None:
        """Add a put."""
        if isinstance(put.row, RejectedRow):
            self.rejected.append(put)
        else:
            self.puts.append(put)

    def split(self) -> Self:
        """Take out the puts that are too many for one transaction."""
        rest = type(self)(puts=self.puts[_MAX_PUTS:], rejected=self.rejected[_MAX_PUTS:])
        del self.puts[_MAX_PUTS:], self.rejected[_MAX_PUTS:]
        return rest

    def results(self) -> Self:
        """Return the results of attempts alone, without the puts."""
        return type(self)(completed=self.completed, changes=self.changes, due_at=self.due_at)

    def prepend(self, earlier: Self) -> None:
        """Add the results of attempts that could not be written, before the later ones."""
        self.completed = earlier.completed + self.completed
        self.changes = earlier.changes + self.changes
        self.due_at = min(earlier.due_at, self.due_at)

    def write_results(self, spool: Spool) -> None:
        """Write the results of attempts, inside a transaction."""
        spool.complete(self.completed)
        for change in self.changes:
            change(spool)
