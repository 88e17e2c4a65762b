"""What is stored of new payloads: those that fit into the spool and are no duplicates."""

from collections.abc import Sequence

from unisights._spool.claims import Claims
from unisights._spool.puts import NewPut, Stored
from unisights._spool.rows import Totals
from unisights._spool.store import Spool
from unisights._spool.tables import NOBODY
from unisights._spool.workers import Job


class Intake:
    """Stores new payloads.

    Args:
        spool: the connection.
        claims: says which of them this process works on.
        max_bytes: how many bytes may wait in the spool; one payload alone may have more.
        duplicate_window: a payload that comes again within so many seconds is dropped; 0: none is.
    """

    def __init__(
        self, spool: Spool, claims: Claims, *, max_bytes: int, duplicate_window: float
    ) -> None:
        self._spool = spool
        self._claims = claims
        self._max_bytes = max_bytes
        self._duplicate_window = duplicate_window

    def store(self, puts: Sequence[NewPut], totals: Totals) -> list[Job]:
        """Store payloads inside a transaction; return the jobs that are this process's at once.

        Args:
            puts: the payloads; each is told what became of it.
            totals: what is in the spool.
        """
        fitting = self._select(puts, totals)
        owners = self._claims.owners_of(fitting)
        if not fitting:
            return []
        ids = self._spool.insert([put.row for put in fitting], owners)
        if self._duplicate_window:
            seen = self._spool.seen
            seen.add([put.row.content_id for put in fitting], self._duplicate_window)
            # More than were added, so that they do not grow in number.
            seen.purge(2 * len(fitting) + 8)
        return [
            Job(row_id, 0, 0.0, put.row.size, put.payload, put.info)
            for row_id, put, owner in zip(ids, fitting, owners, strict=True)
            if owner != NOBODY
        ]

    def _select(self, puts: Sequence[NewPut], totals: Totals) -> list[NewPut]:
        room = self._max_bytes - totals.waiting_bytes
        is_empty = not totals.waiting
        seen: set[str] = set()
        if self._duplicate_window:
            seen = self._spool.seen.known({put.row.content_id for put in puts})
        fitting = []
        for put in puts:
            if put.row.content_id in seen:
                put.stored = Stored.DUPLICATE
            elif put.row.size <= room or is_empty:
                put.stored = Stored.STORED
                room -= put.row.size
                is_empty = False
                fitting.append(put)
                if self._duplicate_window:
                    seen.add(put.row.content_id)
            else:
                put.stored = Stored.FULL
        return fitting
