"""Group commit: one thread of a process writes all that waits to be written, in one transaction.

While a transaction is committed, the next requests gather. So the busier it is, the more requests
share a commit. The results of attempts are written along with them, and may wait a little.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

from unisights._runtime.log import ThrottledLog
from unisights._spool import clock
from unisights._spool.admission import Admission
from unisights._spool.claims import Claims
from unisights._spool.drains import Drains
from unisights._spool.pending_writes import PendingWrites
from unisights._spool.progress import Progress
from unisights._spool.puts import NewPut, PutResult, RejectionPut, settle
from unisights._spool.store import Spool
from unisights._spool.upkeep import Upkeep
from unisights._spool.workers import Job, Workers
from unisights._sqlite.file_lock import FileLock
from unisights.delivery import Durable
from unisights.errors import StoreError
from unisights.stats import Counters

UPKEEP_SECONDS = 1.0
"""How often a process looks after the spool, see `upkeep`."""

LINGER_SECONDS = 0.02
"""How long the result of an attempt may wait to be written, if nothing else is written."""

RETRY_SECONDS = 0.5
"""How long after a failed write the next one is tried, if no request waits for it."""

STUCK_SECONDS = 5.0
"""Requests do not wait for a thread that has not got on for so long."""

STOP_SECONDS = 5.0
"""How long the end of the process waits until the thread has written what it has to."""


class SpoolWriter:
    """The thread that uses a process's connection to the spool, and what it has to write.

    Args:
        spool: the connection; the thread closes it at the end.
        workers: run the jobs.
        report_evicted: is called in a thread of its own with dead letters for which there is no
            room; they are deleted once it has returned.
        durable: the bounds of what the spool keeps.
        counters: where to count what was stored.
        progress: the connection's; tells others what the thread is doing.
        duplicate_window: a payload that comes again within so many seconds is dropped; 0: none is.

    Attributes:
        totals: what was in the spool at most about a second ago.
    """

    def __init__(
        self,
        spool: Spool,
        workers: Workers,
        report_evicted: Callable[[list[Job]], None],
        durable: Durable,
        counters: Counters,
        *,
        progress: Progress,
        duplicate_window: float,
    ) -> None:
        self._spool = spool
        self._progress = progress
        self._workers = workers
        self._ordered = durable.ordered
        self._max_rejected_bytes = durable.rejected_bytes
        self._counters = counters
        self._changed = threading.Condition()
        self._next = PendingWrites()
        self._write_at = float("inf")  # by `time.monotonic`, as the following
        self._upkeep_at = 0.0
        self._is_stopping = False
        self._drains = Drains(spool)
        self._log = ThrottledLog()
        with spool.use():
            self.totals = spool.totals()
            self._owner, self._lock = self._register(duplicate_window, durable.retry.max_pause)
        self._claims = Claims(spool, self._owner, workers, ordered=durable.ordered)
        self._admission = Admission(
            spool,
            self._claims,
            max_bytes=durable.spool_bytes,
            duplicate_window=duplicate_window,
        )
        self._upkeep = Upkeep(
            spool,
            self._owner,
            self._claims,
            report_evicted,
            self._write_upkeep,
            max_dead_bytes=durable.dead_letter_bytes,
            longest_wait=durable.retry.max_pause,
        )
        self._thread = threading.Thread(target=self._work, name="unisights-spool", daemon=True)

    def start(self) -> None:
        """Start the thread; if that fails, close the connection.

        Raises:
            StoreError: no thread can be started.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            self._lock.close(removes=True)
            self._spool.close()
            raise StoreError(f"cannot use the spool {self._spool.path}: {error}") from error

    # What others may call, in any thread.

    @property
    def is_stuck(self) -> bool:
        """Whether requests do not wait, as the thread does not get on, or has died."""
        return self._progress.seconds >= STUCK_SECONDS or not self._thread.is_alive()

    def _stuck_error(self) -> StoreError:
        if self._thread.is_alive():
            return self._progress.error()
        return StoreError(
            f"cannot use the spool {self._spool.path}: the thread that writes to it has died, as "
            "memory ran out for example: restart this process"
        )

    def put(self, put: NewPut | RejectionPut) -> None:
        """Store a payload or a rejection; its latch opens once there is a result."""
        with self._changed:
            if not self._is_stopping:
                self._next.add(put)
                self._changed.notify()
                return
        settle([(put, PutResult.CLOSED)])

    async def store(self, put: NewPut | RejectionPut) -> PutResult | StoreError:
        """Store a payload or a rejection, and wait for the result by the put's latch.

        Once the thread is stuck, the wait ends. Then the put is not stored, unless it is in the
        very transaction that is stuck, and that is committed later.
        """
        self.put(put)
        # It waits a little in any case: all looks stuck after this process itself was stopped.
        while not await put.latch.wait(max(STUCK_SECONDS - self._progress.seconds, 0.05)):
            if self.is_stuck:
                error = self._stuck_error()
                with self._changed:
                    self._next.discard(put)
                return put.result or error
        assert put.result is not None  # noqa: S101  # narrows a type: it was settled
        return put.result

    def complete(self, job: Job) -> None:
        """Delete a payload that was delivered."""
        with self._changed:
            self._next.completed.append(job.id)
            self._write_within(self._linger())

    def reschedule(self, job: Job, *, seconds: float, error: str) -> None:
        """Let a payload be attempted again after so many seconds."""
        due = clock.boot_clock() + seconds
        with self._changed:
            self._next.due_at = min(self._next.due_at, time.monotonic() + seconds)
            self._change(
                lambda spool: spool.reschedule(self._owner, job.id, due=due, error=error),
                self._linger(),
            )

    def dead_letter(self, job: Job, *, error: str, failed: bool) -> None:
        """Make a payload a dead letter."""
        with self._changed:
            self._change(
                lambda spool: spool.dead_letter(self._owner, job.id, error=error, failed=failed),
                self._linger(),
            )

    def halt(self) -> None:
        """Claim nothing more, and release all that the workers have not begun with."""
        with self._changed:
            self._claims.is_closed = True
        running = self._workers.halt()
        with self._changed:
            # What runs stays this process's, or others would do it too.
            self._change(lambda spool: spool.owners.release_all(self._owner, but=running), 0)

    def wait_until_delivered(self, seconds: float) -> bool:
        """Wait, at most so long, until what is in the spool now is delivered or dead letters."""
        with self._changed:
            if self._is_stopping:
                return False
            drain = self._drains.add()
            self._write_within(0)
        try:
            self._workers.wait(drain.ended, seconds)
        finally:
            with self._changed:
                self._drains.remove(drain)
        return drain.is_done

    def stop(self) -> None:
        """Write what waits, release the rest, and end the thread.

        A thread that is stuck is left behind after `STOP_SECONDS`. If it goes on before the process
        ends, it does all of this. If not, other processes take over when this one has ended, and
        payloads whose delivery was not recorded are delivered again.
        """
        with self._changed:
            self._claims.is_closed = True
            self._is_stopping = True
            self._changed.notify()
        # An app closes its endpoints one after the other, which wait for the same.
        self._thread.join(max(STOP_SECONDS - self._progress.seconds, 0.0))
        if self._thread.is_alive():
            error = self._progress.error()
            self._log.log(logging.ERROR, "spool_failed", "could not be closed: %s", error)

    def _write_upkeep(self, change: Callable[[Spool], None]) -> None:
        with self._changed:
            # More may have come meanwhile than one look a second can deal with.
            self._upkeep_at = 0.0
            self._change(change, 0)

    def _change(self, change: Callable[[Spool], None], seconds: float) -> None:
        """Have a change written within so many seconds; the caller holds the lock."""
        self._next.changes.append(change)
        self._write_within(seconds)

    def _write_within(self, seconds: float) -> None:
        at = time.monotonic() + seconds
        if at < self._write_at:
            self._write_at = at
            self._changed.notify()

    def _linger(self) -> float:
        """How long results may wait to be written: no time at all if the workers wait for it."""
        return 0 if self._ordered or self._claims.is_urgent else LINGER_SECONDS

    # The thread.

    def _register(self, duplicate_window: float, longest_wait: float) -> tuple[int, FileLock]:
        owner, lock = self._spool.process_locks.register()
        try:
            with self._spool.transaction() as spool:
                spool.owners.add(owner)
                spool.clamp_times(longest_wait)
                if duplicate_window:
                    spool.seen.cap(duplicate_window)
        except BaseException:
            lock.close(removes=True)
            raise
        return owner, lock

    def _work(self) -> None:
        while not self._is_stopping:
            try:
                self._work_once()
            except Exception as error:  # noqa: BLE001  # the thread outlives a lack of memory, too
                self._refuse_all(error)
                time.sleep(RETRY_SECONDS)
        self._drains.end()
        with self._progress.step():
            self._finish()

    def _work_once(self) -> None:
        pending = self._gather()
        with self._progress.step():
            try:
                self._write_safely(pending)
            except Exception:
                with self._changed:
                    self._next.prepend(pending)
                raise
            if time.monotonic() >= self._upkeep_at and not self._is_stopping:
                self._upkeep_at = time.monotonic() + UPKEEP_SECONDS
                self._keep_up_safely()
            self._check_drains_safely()

    def _refuse_all(self, error: Exception) -> None:
        """Refuse the puts that wait; keep the results of attempts for later."""
        with self._changed:
            puts, self._next.puts = self._next.puts, []
            rejections, self._next.rejections = self._next.rejections, []
        failed = StoreError(f"cannot use the spool {self._spool.path}: {error!r}")
        settle((put, failed) for put in puts)
        settle((put, failed) for put in rejections)
        self._log_failure(failed)

    def _gather(self) -> PendingWrites:
        """Wait until there is something to do; then take all there is to write."""
        with self._changed:
            while not (self._next.has_puts or self._is_stopping):
                at = min(self._write_at, self._claims.next_at, self._upkeep_at)
                wait = at - time.monotonic()
                if wait <= 0:
                    break
                self._changed.wait(wait)
            return self._take()

    def _take(self) -> PendingWrites:
        pending = self._next
        self._next = pending.split()
        self._write_at = float("inf")
        return pending

    def _write_safely(self, pending: PendingWrites) -> None:
        try:
            self._write(pending)
        except Exception as error:  # noqa: BLE001  # the thread outlives whatever is raised
            self._log_failure(error)
            # It may have failed before it looked. Else the thread would try again without a pause.
            self._claims.look_not_before(time.monotonic() + RETRY_SECONDS)
            failed = error if isinstance(error, StoreError) else StoreError(str(error))
            if pending.rejections:
                # They may be what there is no room for: payloads must not fail because of them.
                settle((put, failed) for put in pending.rejections)
                pending.rejections = []
                self._write_safely(pending)
            else:
                settle((put, failed) for put in pending.puts)
                self._write_results_later(pending.results(), is_alone=not pending.puts)

    def _write_results_later(self, results: PendingWrites, *, is_alone: bool) -> None:
        """Try again to write the results of attempts, which need less room than new payloads."""
        if not results.has_results:
            return
        if not is_alone:
            self._write_safely(results)
            return
        with self._changed:
            self._next.prepend(results)
            self._write_within(RETRY_SECONDS)

    def _write(self, pending: PendingWrites) -> None:
        jobs: list[Job] = []
        results: list[PutResult] = []
        with self._spool.use():
            self._spool.keep_current()
            claims = self._claims.look(has_completed=bool(pending.completed))
            if not (pending.has_puts or pending.has_results or claims):
                return
            with self._spool.transaction() as spool:
                pending.write_results(spool, self._owner)
                if claims or pending.puts:
                    # Others may have taken this process for dead, or the file may be a new one.
                    spool.owners.add(self._owner)
                if claims:
                    jobs += self._claims.claim()
                if pending.puts:
                    self.totals = spool.totals()
                    stored, results = self._admission.store(pending.puts, self.totals)
                    jobs += stored
                self._store_rejections(pending.rejections)
        self._claims.look_at(pending.due_at)
        self._count(results)
        settle(zip(pending.puts, results, strict=True))
        settle((put, PutResult.STORED) for put in pending.rejections)
        self._hand_over(jobs)
        if claims and jobs and self._claims.is_urgent:
            with self._changed:
                self._write_within(0)

    def _store_rejections(self, puts: Sequence[RejectionPut]) -> None:
        if puts:
            rows = [put.row for put in puts]
            self._spool.rejections.insert(rows, max_bytes=self._max_rejected_bytes)

    def _count(self, results: Sequence[PutResult]) -> None:
        """Count payloads that are safe now, whether their requests still wait or not."""
        queued = results.count(PutResult.STORED)
        duplicate = results.count(PutResult.DUPLICATE)
        if queued or duplicate:
            self._counters.add("accepted", queued + duplicate)
            self._counters.add("queued", queued)
            self._counters.add("duplicate", duplicate)

    def _hand_over(self, jobs: list[Job]) -> None:
        """Give jobs to the workers; release them if there is no thread or no loop to run them."""
        if not jobs:
            return
        try:
            self._workers.add(jobs)
        except Exception as error:  # noqa: BLE001  # what was committed is committed
            self._log_failure(error)
            ids = [job.id for job in jobs]
            with self._changed:
                self._change(lambda spool: spool.owners.release(self._owner, ids), RETRY_SECONDS)

    def _keep_up_safely(self) -> None:
        try:
            self._workers.keep_running()
            with self._spool.use():
                self._spool.keep_current()
                self._lock.restore()
                self.totals = self._spool.totals()
                self._upkeep.run(self.totals)
        except Exception as error:  # noqa: BLE001  # the thread outlives whatever is raised
            self._log_failure(error)

    def _check_drains_safely(self) -> None:
        try:
            with self._spool.use():
                self._drains.check()
        except Exception as error:  # noqa: BLE001  # the thread outlives whatever is raised
            self._log_failure(error)

    def _finish(self) -> None:
        with self._changed:
            pending, rest = self._next, self._next.split()
            pending.puts += rest.puts
            pending.rejections += rest.rejections
            self._next = PendingWrites()
        self._write_safely(pending)
        is_written = False
        try:
            with self._spool.transaction() as spool:
                self._next.write_results(spool, self._owner)
                spool.owners.remove(self._owner)
            is_written = True
        except Exception as error:  # noqa: BLE001  # whoever waits for the end must not wait for ever
            # Others see by the lock that this process has ended, and take over.
            self._log_failure(error)
        with contextlib.suppress(Exception):
            self._spool.close()
        self._lock.close(removes=is_written)

    def _log_failure(self, error: Exception) -> None:
        self._log.log(logging.ERROR, "spool_failed", "%s", error)
