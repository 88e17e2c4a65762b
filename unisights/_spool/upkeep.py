"""The upkeep of a spool, which each of its processes does about once a second for all of them."""

import logging
import threading
import time
from collections.abc import Callable

from unisights._runtime.log import ThrottledLog, log
from unisights._spool.claims import Claims
from unisights._spool.files import touch
from unisights._spool.rows import Totals
from unisights._spool.store import Spool
from unisights._spool.workers import Job

_LONG_WAL = 256 * 1024 * 1024
"""The WAL does not get this long, in bytes, unless something keeps it from being emptied."""

_TOUCH_SECONDS = 3600.0
"""How often the files are touched, so that no program that cleans up takes them for old."""

_PURGED = 1000
"""The greatest number of rows of the duplicate window that are deleted at once."""


class Upkeep:
    """Takes over from dead processes, evicts dead letters, looks after the files.

    Args:
        spool: the connection.
        owner: the process.
        claims: look for payloads that were taken over.
        report_evicted: is called in a thread of its own with dead letters for which there is no
            room; they are deleted once it has returned.
        write: has a change written at once, after which `run` is called again.
        max_dead_bytes: the greatest sum of the sizes of dead letters that are kept.
        longest_wait: the longest delay of a rescheduled payload, in seconds.
    """

    def __init__(
        self,
        spool: Spool,
        owner: int,
        claims: Claims,
        report_evicted: Callable[[list[Job]], None],
        write: Callable[[Callable[[Spool], None]], None],
        *,
        max_dead_bytes: int,
        longest_wait: float,
    ) -> None:
        self._spool = spool
        self._owner = owner
        self._claims = claims
        self._report_evicted = report_evicted
        self._write = write
        self._max_dead_bytes = max_dead_bytes
        self._longest_wait = longest_wait
        self._long_wal = _LONG_WAL
        self._is_evicting = False
        self._touch_at = 0.0  # by `time.monotonic`
        self._log = ThrottledLog()
        self._unusable: set[int] = set()  # owners whose locks cannot be opened

    def run(self, totals: Totals) -> None:
        """Do the upkeep.

        Raises:
            StoreError: the spool cannot be used; the remaining upkeep is done the next time.
        """
        self._take_over()
        self._evict_dead(totals.dead_bytes - self._max_dead_bytes)
        self._warn_of_wal()
        if time.monotonic() >= self._touch_at:
            self._touch_at = time.monotonic() + _TOUCH_SECONDS
            touch(self._spool.path)
        if self._spool.seen.has_old():
            with self._spool.transaction() as spool:
                spool.seen.purge(_PURGED)

    def _take_over(self) -> None:
        """Release the payloads of dead processes."""
        for other in self._spool.owners.others(self._owner):
            try:
                lock = self._spool.process_locks.lock_if_dead(other)
            except OSError as error:
                # Another user's, as a rule. The other owners have to be looked after nevertheless.
                self._report_unusable(other, error)
                continue
            self._unusable.discard(other)
            if lock is None:
                continue
            try:
                with self._spool.transaction() as spool:
                    spool.owners.remove(other)
                    spool.clamp_times(self._longest_wait)
            except BaseException:
                lock.close()
                raise
            lock.close(removes=True)
            self._claims.look_now()
            message = "took over what an ended process had left in the spool"
            log(logging.INFO, "spool_taken_over", message)

    def _report_unusable(self, owner: int, error: OSError) -> None:
        if owner in self._unusable:
            return
        self._unusable.add(owner)
        log(
            logging.ERROR,
            "spool_lock_unusable",
            "cannot tell whether a process has ended that had payloads in the spool: %s; they wait "
            "until this user can read and write that file: give it to the owner of %s by chown",
            error,
            self._spool.path,
        )

    def _evict_dead(self, excess: int) -> None:
        """Make room among the dead letters; only one of the processes does it."""
        others = self._spool.owners.others(self._owner)
        is_first = all(self._owner < other for other in others)
        if excess <= 0 or self._is_evicting or not is_first:
            return
        with self._spool.transaction() as spool:
            rows = spool.oldest_dead(excess)
        jobs = [Job(row.id, row.attempts, 0.0, row.size, row=row) for row in rows]
        # The report calls the user's code, which may hang and must not stop the spool.
        reporter = threading.Thread(target=self._report, args=(jobs,), daemon=True)
        self._is_evicting = True
        try:
            reporter.start()
        except RuntimeError:
            self._is_evicting = False  # There are no more threads. The next time, there may be.

    def _report(self, jobs: list[Job]) -> None:
        try:
            self._report_evicted(jobs)
        except BaseException:
            self._is_evicting = False
            raise
        ids = [job.id for job in jobs]

        def evict(spool: Spool) -> None:
            spool.evict(ids)
            # Not earlier, or the same ones would be reported again.
            self._is_evicting = False

        self._write(evict)

    def _warn_of_wal(self) -> None:
        """Warn of a WAL that is getting long, and again when it is twice as long."""
        size = self._spool.wal_size()
        if size > self._long_wal:
            self._long_wal = 2 * size
            self._log.log(
                logging.WARNING,
                "spool_wal_grows",
                "SQLite's WAL of the spool has grown to %d MiB, because something keeps reading "
                "the spool: end the transactions that others have left open in %s",
                size >> 20,
                self._spool.path,
            )
