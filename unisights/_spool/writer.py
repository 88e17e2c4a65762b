"""Group commit: one thread of a process writes all that waits to be written, in one transaction.

While a transaction is committed, the next requests gather; so the busier it is, the more of them
share a commit. What has been delivered is written down along with them, and need not hurry.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from unisights._runtime.log import ThrottledLog, log
from unisights._spool.clock import boot_clock
from unisights._spool.process_locks import Lock
from unisights._spool.puts import AsyncPut, NewPut, RejectedPut, Stored
from unisights._spool.store import NOBODY, Spool
from unisights._spool.workers import Job, Workers
from unisights.errors import StoreError
from unisights.stats import Counters

POLL_SECONDS = 1.0
"""How often a process looks for what others have left."""

LINGER_SECONDS = 0.02
"""How long it may take until what was delivered is written down, if nothing else is written."""

RETRY_SECONDS = 0.5
"""How long after a failed write the next one is tried, if nobody waits for it."""

_LONG_LOG = 256 * 1024 * 1024
"""SQLite's log is not this long, in bytes, unless something keeps it from being emptied."""
_PURGED = 1000
"""At most so many payloads are forgotten at once that were remembered for long enough."""

_MAX_PUTS = 512
"""At most so many payloads share a commit, so that the first ones do not wait for too many."""


@dataclass(slots=True)
class _Batch:
    """What is written in one transaction."""

    puts: list[NewPut] = field(default_factory=list)
    rejected: list[RejectedPut] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    others: list[Callable[[Spool], None]] = field(default_factory=list)
    look_at: float = float("inf")  # when the first of what is put off is due

    @property
    def has_settlements(self) -> bool:
        return bool(self.delivered or self.others)


class SpoolWriter:
    """The thread that uses a process's connection to the spool, and what it has to write.

    Args:
        spool: the connection; the thread closes it at the end.
        workers: who delivers.
        expel: gets dead letters for which there is no room any more, in a thread of its own;
            they are forgotten once it has returned.
        ordered: whether payloads of one session are delivered one after the other.
        max_bytes: how many bytes may wait in the spool; one payload alone may have more.
        max_dead_bytes: how many bytes of dead letters are kept.
        max_rejected_bytes: how many bytes of rejected records are kept.
        longest_wait: the longest time that anything is put off, in seconds.
        duplicate_window: for how long payloads are dropped that come again, in seconds.
        counters: where to count what was stored.

    Attributes:
        totals: what was in the spool when last looked, about a second ago at most.
        commits: how many transactions have stored payloads.
        stored: how many payloads.
    """

    def __init__(
        self,
        spool: Spool,
        workers: Workers,
        expel: Callable[[list[Job]], None],
        *,
        ordered: bool,
        max_bytes: int,
        max_dead_bytes: int,
        max_rejected_bytes: int,
        longest_wait: float,
        duplicate_window: float,
        counters: Counters,
    ) -> None:
        self.totals = spool.totals()
        self.commits = 0
        self.stored = 0
        self._spool = spool
        self._workers = workers
        self._expel = expel
        self._ordered = ordered
        self._max_bytes = max_bytes
        self._max_dead_bytes = max_dead_bytes
        self._max_rejected_bytes = max_rejected_bytes
        self._longest_wait = longest_wait
        self._duplicate_window = duplicate_window
        self._counters = counters
        self._changed = threading.Condition()
        self._next = _Batch()
        self._write_at = float("inf")  # by time.monotonic, as the following
        self._look_at = 0.0
        self._poll_at = 0.0
        self._has_backlog = True
        self._is_taking = True
        self._is_stopping = False
        self._is_expelling = False
        self._long_log = _LONG_LOG
        self._quiet = ThrottledLog()
        self._owner, self._lock = self._enter()
        self._thread = threading.Thread(target=self._work, name="unisights-spool", daemon=True)

    def start(self) -> None:
        """Start the thread; raises RuntimeError if there is none to be had."""
        self._thread.start()

    def forget(self) -> None:
        """In a forked child: the parent's locks must be let go when the parent ends."""
        self._lock.close()
        self._spool.forget()

    # What others may call, in any thread.

    def put(self, put: NewPut) -> None:
        """Store a payload; its wait ends when it is stored, or cannot be."""
        with self._changed:
            if not self._is_stopping:
                self._next.puts.append(put)
                self._changed.notify()
                return
        put.wake()

    def reject(self, put: RejectedPut) -> None:
        """Store a rejected record, likewise."""
        with self._changed:
            if not self._is_stopping:
                self._next.rejected.append(put)
                self._changed.notify()
                return
        put.wake()

    def delivered(self, job: Job) -> None:
        """Forget a payload that was delivered."""
        with self._changed:
            self._next.delivered.append(job.id)
            self._hurry(self._linger())

    def put_off(self, job: Job, *, seconds: float, reason: str) -> None:
        """Try a payload again after so many seconds."""
        due = boot_clock() + seconds
        with self._changed:
            self._next.others.append(
                lambda spool: spool.put_off(self._owner, job.id, due=due, reason=reason)
            )
            self._next.look_at = min(self._next.look_at, time.monotonic() + seconds)
            self._hurry(self._linger())

    def give_up(self, job: Job, *, reason: str, failed: bool) -> None:
        """Put a payload among the dead letters."""
        with self._changed:
            self._next.others.append(
                lambda spool: spool.give_up(self._owner, job.id, reason=reason, failed=failed)
            )
            self._hurry(self._linger())

    def drain(self) -> None:
        """Claim nothing more, and leave to anyone what the workers have not begun with."""
        with self._changed:
            self._is_taking = False
        running = self._workers.halt()
        with self._changed:
            # What runs stays this process's: else, others would do it too.
            self._next.others.append(lambda spool: spool.release(self._owner, but=running))
            self._hurry(0)

    def stop(self) -> None:
        """Write what is left, leave the rest to others, and end the thread."""
        with self._changed:
            self._is_taking = False
            self._is_stopping = True
            self._changed.notify()
        self._thread.join()

    # The thread.

    def _enter(self) -> tuple[int, Lock]:
        owner, lock = self._spool.owners.enter()
        try:
            with self._spool.transaction() as spool:
                spool.enter(owner)
                if self._duplicate_window:
                    spool.seen.cap(self._duplicate_window)
        except BaseException:
            lock.close(removes=True)
            raise
        return owner, lock

    def _linger(self) -> float:
        """How long what is to be settled may wait: not at all if the workers wait for it."""
        wanted = self._ordered or (self._has_backlog and self._workers.is_half_empty)
        return 0 if wanted else LINGER_SECONDS

    def _hurry(self, seconds: float) -> None:
        at = time.monotonic() + seconds
        if at < self._write_at:
            self._write_at = at
            self._changed.notify()

    def _work(self) -> None:
        while not self._is_stopping:
            batch = self._gather()
            self._write_safely(batch)
            if time.monotonic() >= self._poll_at and not self._is_stopping:
                self._poll_at = time.monotonic() + POLL_SECONDS
                self._poll_safely()
        self._finish()

    def _gather(self) -> _Batch:
        """Wait for something to write, or to look for; then take all there is."""
        with self._changed:
            while not (self._next.puts or self._next.rejected or self._is_stopping):
                wait = min(self._write_at, self._look_at, self._poll_at) - time.monotonic()
                if wait <= 0:
                    break
                self._changed.wait(wait)
            return self._take()

    def _take(self) -> _Batch:
        batch, self._next = self._next, _Batch()
        self._next.puts = batch.puts[_MAX_PUTS:]
        self._next.rejected = batch.rejected[_MAX_PUTS:]
        del batch.puts[_MAX_PUTS:], batch.rejected[_MAX_PUTS:]
        self._write_at = float("inf")
        return batch

    def _write_safely(self, batch: _Batch) -> None:
        try:
            self._write(batch)
        except Exception as error:  # noqa: BLE001  # the thread outlives whatever is raised
            self._log_failure(error)
            failed = error if isinstance(error, StoreError) else StoreError(str(error))
            if batch.rejected:
                # It may be for them that there is no room: they do not take payloads with them.
                _fail(batch.rejected, failed)
                batch.rejected = []
                self._write_safely(batch)
                return
            _fail(batch.puts, failed)
            self._settle_later(batch)

    def _settle_later(self, batch: _Batch) -> None:
        """Where there is no room for more, there may be for less: payloads that were delivered."""
        settled = _Batch(delivered=batch.delivered, others=batch.others, look_at=batch.look_at)
        if batch.puts and settled.has_settlements:
            self._write_safely(settled)
            return
        with self._changed:
            self._next.delivered = settled.delivered + self._next.delivered
            self._next.others = settled.others + self._next.others
            self._next.look_at = min(settled.look_at, self._next.look_at)
            if settled.has_settlements:
                self._hurry(RETRY_SECONDS)

    def _write(self, batch: _Batch) -> None:
        jobs: list[Job] = []
        now = time.monotonic()
        looks = now >= self._look_at
        if looks:
            self._look_at = now + POLL_SECONDS
        if looks or (self._ordered and batch.delivered):
            self._has_backlog = self._has_backlog or self._spool.has_claimable()
        claims = self._is_taking and self._has_backlog and (looks or self._workers.is_half_empty)
        if not (batch.puts or batch.rejected or batch.has_settlements or claims):
            return
        with self._spool.transaction() as spool:
            spool.delivered(batch.delivered)
            for settle in batch.others:
                settle(spool)
            if claims:
                jobs += self._claim()
            if batch.puts:
                jobs += self._store(batch.puts)
            self._reject(batch.rejected)
        self._look_at = min(self._look_at, batch.look_at)
        self._count(batch.puts)
        _wake([*batch.puts, *batch.rejected])
        self._hand_over(jobs)
        if claims and jobs and self._has_backlog and self._workers.is_half_empty:
            with self._changed:
                self._hurry(0)

    def _hand_over(self, jobs: list[Job]) -> None:
        """Give jobs to the workers, or back to anyone, if no thread or no loop is to be had."""
        if not jobs:
            return
        try:
            self._workers.add(jobs)
        except Exception as error:  # noqa: BLE001  # what was committed is committed
            self._log_failure(error)
            ids = [job.id for job in jobs]
            with self._changed:
                self._next.others.append(lambda spool: spool.give_back(self._owner, ids))
                self._hurry(RETRY_SECONDS)

    def _claim(self) -> list[Job]:
        rows, size = self._workers.room
        if rows <= 0 or size <= 0:
            return []
        claimed = self._spool.claim(self._owner, rows=rows, size=size)
        # What is due and cannot be claimed waits for an earlier one of its session, maybe for long.
        self._has_backlog = bool(claimed) and self._spool.has_claimable()
        return [Job(row.id, row.attempts, row.age, row.size, row=row) for row in claimed]

    def _store(self, puts: list[NewPut]) -> list[Job]:
        """Store what there is room for; what can be delivered at once is this process's."""
        self.totals = self._spool.totals()
        room = self._max_bytes - self.totals.waiting_bytes
        is_empty = not self.totals.waiting
        fitting = []
        seen = self._seen(puts)
        for put in puts:
            if seen is not None and put.row.content_id in seen:
                put.outcome = Stored.DUPLICATE
            elif put.row.size <= room or is_empty:
                room -= put.row.size
                is_empty = False
                put.outcome = Stored.STORED
                fitting.append(put)
                if seen is not None:
                    seen.add(put.row.content_id)
            else:
                put.outcome = Stored.FULL
        owners = self._place(fitting)
        if not fitting:
            return []
        ids = self._spool.insert([put.row for put in fitting], owners)
        if seen is not None:
            content_ids = [put.row.content_id for put in fitting]
            self._spool.seen.add(content_ids, self._duplicate_window)
            # More than came, so that they do not grow in number.
            self._spool.seen.purge(2 * len(fitting) + 8)
        return [
            Job(row_id, 0, 0.0, put.row.size, put.payload, put.info)
            for row_id, put, owner in zip(ids, fitting, owners, strict=True)
            if owner != NOBODY
        ]

    def _seen(self, puts: Iterable[NewPut]) -> set[str] | None:
        """Which of the payloads have come before; None if nobody wants to know."""
        if not self._duplicate_window:
            return None
        return self._spool.seen.known({put.row.content_id for put in puts})

    def _count(self, puts: Iterable[NewPut]) -> None:
        """Count what is safe now, whether its request still waits or not."""
        outcomes = [put.outcome for put in puts]
        queued = outcomes.count(Stored.STORED)
        duplicate = outcomes.count(Stored.DUPLICATE)
        if queued or duplicate:
            self._counters.add("accepted", queued + duplicate)
            self._counters.add("queued", queued)
            self._counters.add("duplicate", duplicate)
        if queued:
            self.commits += 1
            self.stored += queued

    def _reject(self, puts: list[RejectedPut]) -> None:
        """Store rejected records; there is room for them, or the oldest make some."""
        if puts:
            rows = [put.row for put in puts]
            self._spool.rejected.insert(rows, max_bytes=self._max_rejected_bytes)
        for put in puts:
            put.outcome = Stored.STORED

    def _place(self, puts: Iterable[NewPut]) -> list[int]:
        """Whose each new payload is: this process's, if its turn has come and there is room."""
        rows, size = self._workers.room
        owners = []
        sessions: set[str | None] = set()
        for put in puts:
            session = put.row.session_id
            waits = not self._is_taking or self._has_backlog or rows <= 0 or size <= 0
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

    def _poll_safely(self) -> None:
        try:
            self._workers.keep_running()
            self._take_over()
            self._expel_dead()
            self._warn_of_log()
            self._purge()
        except Exception as error:  # noqa: BLE001  # the thread outlives whatever is raised
            self._log_failure(error)

    def _log_failure(self, error: Exception) -> None:
        self._quiet.log(logging.ERROR, "spool_failed", "%s", error)

    def _purge(self) -> None:
        """Forget what was remembered for long enough, if payloads that come do not see to it."""
        if self._spool.seen.has_old():
            with self._spool.transaction() as spool:
                spool.seen.purge(_PURGED)

    def _take_over(self) -> None:
        """Free what dead processes have left."""
        for other in self._spool.others(self._owner):
            lock = self._spool.owners.bury(other)
            if lock is None:
                continue
            try:
                with self._spool.transaction() as spool:
                    spool.leave(other)
                    spool.mend_times(self._longest_wait)
                self._has_backlog = True
                self._look_at = 0.0
                message = "took over what an ended process had left in the spool"
                log(logging.INFO, "spool_taken_over", message)
            except BaseException:
                lock.close()
                raise
            lock.close(removes=True)

    def _warn_of_log(self) -> None:
        """Tell of a log that is getting long, and again when it is twice as long."""
        size = self._spool.log_size()
        if size > self._long_log:
            self._long_log = 2 * size
            self._quiet.log(
                logging.WARNING,
                "spool_log_grows",
                "the spool's log has grown to %d MiB, since something reads the spool for long: "
                "end transactions that others have left open in %s",
                size >> 20,
                self._spool.path,
            )

    def _expel_dead(self) -> None:
        """Make room among the dead letters; one of the processes does it."""
        self.totals = self._spool.totals()
        excess = self.totals.dead_bytes - self._max_dead_bytes
        is_first = all(self._owner < other for other in self._spool.others(self._owner))
        if excess <= 0 or self._is_expelling or not is_first:
            return
        with self._spool.transaction() as spool:
            rows = spool.oldest_dead(excess)
        jobs = [Job(row.id, row.attempts, 0.0, row.size, row=row) for row in rows]
        self._is_expelling = True
        # What is called may hang: the spool must not.
        threading.Thread(target=self._expel_jobs, args=(jobs,), daemon=True).start()

    def _expel_jobs(self, jobs: list[Job]) -> None:
        try:
            self._expel(jobs)
        except BaseException:
            self._is_expelling = False
            raise
        with self._changed:
            self._is_expelling = False
            self._next.others.append(lambda spool: spool.forget_dead([job.id for job in jobs]))
            # There may be more, and they may come faster than once a second a few.
            self._poll_at = 0.0
            self._hurry(0)

    def _finish(self) -> None:
        with self._changed:
            batch = self._take()
            batch.puts += self._next.puts
            batch.rejected += self._next.rejected
            self._next.puts, self._next.rejected = [], []
        self._write_safely(batch)
        has_left = False
        try:
            with self._spool.transaction() as spool:
                spool.delivered(self._next.delivered)
                for settle in self._next.others:
                    settle(spool)
                spool.leave(self._owner)
            has_left = True
        except Exception as error:  # noqa: BLE001  # requests may wait for what follows
            # The others see that this process has ended by its lock.
            self._log_failure(error)
        with contextlib.suppress(Exception):
            self._spool.close()
        self._lock.close(removes=has_left)


def _fail(puts: Sequence[NewPut | RejectedPut], error: StoreError) -> None:
    """End the waits of requests with what went wrong."""
    for put in puts:
        put.outcome = error
    _wake(puts)


def _wake(puts: Iterable[NewPut | RejectedPut]) -> None:
    """End the waits of requests; one call for each event loop."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[AsyncPut[Any]]] = defaultdict(list)
    for put in puts:
        if isinstance(put, AsyncPut):
            by_loop[put.loop].append(put)
        else:
            put.wake()
    for loop, theirs in by_loop.items():
        # A loop that has been closed has no requests any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_wake_all, theirs)


def _wake_all(puts: list[AsyncPut[Any]]) -> None:
    for put in puts:
        put.wake()
