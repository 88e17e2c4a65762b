"""Which payloads of the spool a process works on: as many as its workers have room for."""

import time
from collections.abc import Iterable

from unisights._spool.puts import NewPut
from unisights._spool.store import Spool
from unisights._spool.tables import NOBODY
from unisights._spool.workers import Job, Workers

CLAIM_SECONDS = 1.0
"""How often a process looks for claimable payloads that others have released."""


class Claims:
    """Decides what a process claims, and which new payloads are its own from the start.

    Args:
        spool: the connection.
        owner: the process.
        workers: run the jobs.
        ordered: whether payloads of one session are delivered one after the other.

    Attributes:
        is_closed: whether the process takes on nothing more.
    """

    def __init__(self, spool: Spool, owner: int, workers: Workers, *, ordered: bool) -> None:
        self._spool = spool
        self._owner = owner
        self._workers = workers
        self._ordered = ordered
        self._has_backlog = True  # whether there may be payloads to claim
        self.next_at = 0.0  # when to look for them, by `time.monotonic`
        self.is_closed = False

    @property
    def is_urgent(self) -> bool:
        """Whether the workers wait for what can be claimed."""
        return self._has_backlog and self._workers.is_half_empty

    def look_now(self) -> None:
        """Payloads have been released: look for them at once."""
        self._has_backlog = True
        self.next_at = 0.0

    def look_at(self, moment: float) -> None:
        """Look for claimable payloads at this moment, if not earlier."""
        self.next_at = min(self.next_at, moment)

    def is_due(self, *, has_completed: bool) -> bool:
        """Return whether it is time to claim.

        Args:
            has_completed: whether something has been delivered, for which a later payload of its
                session may have waited.
        """
        now = time.monotonic()
        is_time = now >= self.next_at
        if is_time:
            self.next_at = now + CLAIM_SECONDS
        if is_time or (self._ordered and has_completed):
            self._has_backlog = self._has_backlog or self._spool.has_claimable()
        wanted = is_time or self._workers.is_half_empty
        return not self.is_closed and self._has_backlog and wanted

    def claim(self) -> list[Job]:
        """Claim what there is room for, inside a transaction."""
        rows, size = self._workers.room
        if rows <= 0 or size <= 0:
            return []
        claimed = self._spool.claim(self._owner, rows=rows, size=size)
        # If nothing could be claimed, the payloads that are due wait for earlier ones of their
        # sessions. To look again at once would be of no use.
        self._has_backlog = bool(claimed) and self._spool.has_claimable()
        return [Job(row.id, row.attempts, row.age, row.size, row=row) for row in claimed]

    def owners_of(self, puts: Iterable[NewPut]) -> list[int]:
        """Return the owner of each new payload, inside a transaction.

        It is this process, if there is room among its workers and no earlier payload is waiting
        that has to be delivered first.
        """
        rows, size = self._workers.room
        owners = []
        sessions: set[str | None] = set()
        for put in puts:
            session = put.row.session_id
            waits = self.is_closed or self._has_backlog or rows <= 0 or size <= 0
            if self._ordered and session is not None:
                waits = waits or session in sessions or self._spool.has_waiting(session)
                sessions.add(session)
            if waits:
                owners.append(NOBODY)
                self._has_backlog = True
            else:
                owners.append(self._owner)
                rows -= 1
                size -= put.row.size
        return owners
