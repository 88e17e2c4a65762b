"""The content of the writer's next transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from unisights._spool.puts import NewPut, RejectionPut
from unisights._spool.rejections import RejectionRow
from unisights._spool.store import Spool

_MAX_PUTS = 512
"""The greatest number of puts that share a commit, so that the first do not wait for long."""


@dataclass(slots=True)
class PendingWrites:
    """The content of one transaction.

    Attributes:
        puts: payloads to be stored.
        rejections: rejections to be stored.
        completed: the numbers of payloads that were delivered.
        changes: other changes, written in this order: payloads that are rescheduled, released or
            evicted, or become dead letters.
        due_at: when the first rescheduled payload is due, by `time.monotonic`.
    """

    puts: list[NewPut] = field(default_factory=list)
    rejections: list[RejectionPut] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)
    changes: list[Callable[[Spool], None]] = field(default_factory=list)
    due_at: float = float("inf")

    @property
    def has_puts(self) -> bool:
        """Whether it has puts, for which requests wait."""
        return bool(self.puts or self.rejections)

    @property
    def has_results(self) -> bool:
        """Whether it has anything but puts."""
        return bool(self.completed or self.changes)

    def add(self, put: NewPut | RejectionPut) -> None:
        """Add a put."""
        if isinstance(put.row, RejectionRow):
            self.rejections.append(put)
        else:
            self.puts.append(put)

    def discard(self, put: NewPut | RejectionPut) -> None:
        """Remove a put, if it is still here."""
        puts: list[Any] = self.rejections if isinstance(put.row, RejectionRow) else self.puts
        if put in puts:
            puts.remove(put)

    def split(self) -> Self:
        """Take out the puts that are too many for one transaction, and return them."""
        rest = type(self)(puts=self.puts[_MAX_PUTS:], rejections=self.rejections[_MAX_PUTS:])
        del self.puts[_MAX_PUTS:], self.rejections[_MAX_PUTS:]
        return rest

    def results(self) -> Self:
        """Return the rest without the puts."""
        return type(self)(completed=self.completed, changes=self.changes, due_at=self.due_at)

    def prepend(self, earlier: Self) -> None:
        """Put what could not be written before what came later."""
        # The results of some puts may be known.
        self.puts = [put for put in earlier.puts if put.result is None] + self.puts
        self.rejections = [
            put for put in earlier.rejections if put.result is None
        ] + self.rejections
        self.completed = earlier.completed + self.completed
        self.changes = earlier.changes + self.changes
        self.due_at = min(earlier.due_at, self.due_at)

    def write_results(self, spool: Spool, owner: int) -> None:
        """Write everything but the puts, inside a transaction of this owner."""
        spool.complete(self.completed, owner)
        for change in self.changes:
            change(spool)
