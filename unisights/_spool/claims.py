"""Claims: a process works on as many payloads of the spool as its workers have room for."""

import time
from collections.abc import Iterable

from unisights._spool.puts import NewPut
from unisights._spool.store import Spool
from unisights._spool.tables import NOBODY
from unisights._spool.workers import Job, Workers

CLAIM_SECONDS = 1.0
"""How often a process looks for claimable payloads that others have released."""


class Claims:
    """Decides which payloads a process claims, and which new ones are its own from the start.

    Args:
        spool: the connection.
        owner: the process.
        workers: run the jobs.
        ordered: whether payloads of one session are delivered one after the other.

    Attributes:
        next_at: when to look for claimable payloads again, by `time.monotonic`.
        is_closed: whether the process claims and owns no further payloads.
    """

    def __init__(self, spool: Spool, owner: int, workers: Workers, *, ordered: bool) -> None:
        self._spool = spool
        self._owner = owner
        self._workers = workers
        self._ordered = ordered
        self._has_backlog = True  # whether there may be payloads to claim
        self.next_at = 0.0
        self.is_closed = False

    @property
    def is_urgent(self) -> bool:
        """Whether there may be claimable payloads, and the workers need more jobs."""
        return self._has_backlog and self._workers.is_half_empty

    def look_now(self) -> None:
        """Look for claimable payloads at once, as some have been released."""
        self._has_backlog = True
        self.next_at = 0.0

    def look_at(self, moment: float) -> None:
        """Look for claimable payloads at this moment, if not earlier."""
        self.next_at = min(self.next_at, moment)

    def look_not_before(self, moment: float) -> None:
        """Look for claimable payloads at this moment, if not later."""
        self.next_at = max(self.next_at, moment)

    def look(self, *, has_completed: bool) -> bool:
        """Look for claimable payloads if it is time; return whether to claim now.

        Args:
            has_completed: whether payloads have been delivered. Later payloads of their sessions
                may have waited for that.
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
        """Claim as many payloads as there is room for, inside a transaction."""
        rows, size = self._workers.room
        if rows <= 0 or size <= 0:
            return []
        claimed = self._spool.claim(self._owner, rows=rows, size=size)
        # If nothing could be claimed, the payloads that are due wait for earlier ones of their
        # sessions. To look again at once would be of no use.
        self._has_backlog = bool(claimed) and self._spool.has_claimable()
        return [Job(row.id, row.attempts, row.age, row.size, row=row) for row in claimed]

    def assign_owners(self, puts: Iterable[NewPut]) -> list[int]:
        """Return the owner of each new payload, inside a transaction.

        It is this process if its workers have room and no waiting payload has to be delivered
        first. Otherwise it is nobody, and the payload is to be claimed later.
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
