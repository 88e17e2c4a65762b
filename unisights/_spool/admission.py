"""Admission: new payloads are stored if they fit into the spool and are no duplicates."""

from collections.abc import Sequence

from unisights._spool.claims import Claims
from unisights._spool.puts import NewPut, PutResult
from unisights._spool.rows import Totals
from unisights._spool.store import Spool
from unisights._spool.tables import NOBODY
from unisights._spool.workers import Job


class Admission:
    """Decides which new payloads are stored, and stores them.

    Args:
        spool: the connection.
        claims: decides which of them this process works on.
        max_bytes: the greatest sum of the sizes of waiting payloads; one payload alone may be
            larger.
        duplicate_window: for how many seconds a body that comes again is dropped; 0: not at all.
    """

    def __init__(
        self, spool: Spool, claims: Claims, *, max_bytes: int, duplicate_window: float
    ) -> None:
        self._spool = spool
        self._claims = claims
        self._max_bytes = max_bytes
        self._duplicate_window = duplicate_window

    def store(self, puts: Sequence[NewPut], totals: Totals) -> tuple[list[Job], list[PutResult]]:
        """Store payloads, inside a transaction.

        Args:
            puts: the payloads.
            totals: the totals of the spool.

        Returns:
            The jobs that are this process's at once, and the result of each put, which is true once
            the transaction is committed.
        """
        results = self._decide(puts, totals)
        fitting = [
            put for put, result in zip(puts, results, strict=True) if result is PutResult.STORED
        ]
        owners = self._claims.assign_owners(fitting)
        if not fitting:
            return [], results
        ids = self._spool.insert([put.row for put in fitting], owners)
        if self._duplicate_window:
            seen = self._spool.seen
            seen.add([put.row.content_id for put in fitting], self._duplicate_window)
            # More rows than were added, so that the table shrinks.
            seen.purge(2 * len(fitting) + 8)
        jobs = [
            Job(row_id, 0, 0.0, put.row.size, put.payload, put.info)
            for row_id, put, owner in zip(ids, fitting, owners, strict=True)
            if owner != NOBODY
        ]
        return jobs, results

    def _decide(self, puts: Sequence[NewPut], totals: Totals) -> list[PutResult]:
        room = self._max_bytes - totals.waiting_bytes
        is_empty = not totals.waiting
        seen: set[str] = set()
        if self._duplicate_window:
            seen = self._spool.seen.known({put.row.content_id for put in puts})
        results = []
        for put in puts:
            if put.row.content_id in seen:
                results.append(PutResult.DUPLICATE)
            elif put.row.size <= room or is_empty:
                results.append(PutResult.STORED)
                room -= put.row.size
                is_empty = False
                if self._duplicate_window:
                    seen.add(put.row.content_id)
            else:
                results.append(PutResult.FULL)
        return results
