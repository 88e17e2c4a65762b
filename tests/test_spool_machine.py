"""The spool held against a model: whatever is done to it, in whatever order, nothing is lost."""

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings, stateful
from hypothesis import strategies as st

from tests.spools import new_row
from unisights._spool import clock
from unisights._spool.rows import NewRow
from unisights._spool.store import Spool
from unisights._spool.tables import NOBODY
from unisights._sqlite.file_lock import FileLock

SESSIONS = st.sampled_from(["a", "b", "c"])


class SpoolMachine(stateful.RuleBasedStateMachine):
    """Two processes that share a spool, put, claim, settle, crash and come back."""

    is_ordered = False

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self._real_clock = clock.boot_clock
        clock.boot_clock = lambda: self.now
        self.directory = Path(tempfile.mkdtemp())
        self.path = self.directory / "spool.sqlite3"
        self.processes: list[tuple[Spool, int, FileLock]] = []
        for _ in range(2):
            self.processes.append(self._open())
        # The model: every payload that was stored and has not been delivered.
        self.rows: dict[int, NewRow] = {}
        self.owner: dict[int, int] = {}
        self.due: dict[int, float] = {}
        self.attempts: dict[int, int] = {}
        self.dead: set[int] = set()

    def teardown(self) -> None:
        """Leave nothing behind."""
        for spool, _, lock in self.processes:
            spool.close()
            lock.close()
        clock.boot_clock = self._real_clock
        shutil.rmtree(self.directory)

    def _open(self) -> tuple[Spool, int, FileLock]:
        spool = Spool(self.path, ordered=self.is_ordered)
        owner, lock = spool.process_locks.register()
        with spool.transaction():
            spool.owners.add(owner)
        return spool, owner, lock

    def _session(self, row_id: int) -> str | None:
        return self.rows[row_id].session_id

    def _owned(self, owner: int) -> list[int]:
        return sorted(i for i in self.rows if i not in self.dead and self.owner[i] == owner)

    @stateful.rule(
        process=st.integers(0, 1),
        sessions=st.lists(SESSIONS, min_size=1, max_size=5),
        is_owned=st.booleans(),
    )
    def put(self, process: int, sessions: list[str], is_owned: bool) -> None:
        """Store some; ordered, none is owned at once that has earlier ones before it."""
        spool, me, _ = self.processes[process]
        owner = me if is_owned and not self.is_ordered else NOBODY
        rows = [
            new_row(f"site-{len(self.rows)}-{n}", session_id=session)
            for n, session in enumerate(sessions)
        ]
        with spool.transaction():
            ids = spool.insert(rows, [owner] * len(rows))
        assert all(row_id not in self.rows for row_id in ids)
        for row_id, row in zip(ids, rows, strict=True):
            self.rows[row_id] = row
            self.owner[row_id] = owner
            self.due[row_id] = self.now
            self.attempts[row_id] = 0

    @stateful.rule(process=st.integers(0, 1), limit=st.integers(1, 4))
    def claim(self, process: int, limit: int) -> None:
        """What is claimed is what the model says: due, nobody's, the longest due first."""
        spool, me, _ = self.processes[process]
        alive = sorted(i for i in self.rows if i not in self.dead)
        expected = [
            i
            for i in sorted(alive, key=lambda i: (self.due[i], i))
            if self.owner[i] == NOBODY
            and self.due[i] <= self.now
            and not (
                self.is_ordered
                and any(e < i and self._session(e) == self._session(i) for e in alive)
            )
        ][:limit]
        with spool.transaction():
            claimed = spool.claim(me, rows=limit, size=10**9)
        assert [row.id for row in claimed] == expected
        for row in claimed:
            assert row.raw == self.rows[row.id].raw
            assert row.content_id == self.rows[row.id].content_id
            assert row.attempts == self.attempts[row.id]
            self.owner[row.id] = me

    @stateful.rule(process=st.integers(0, 1), data=st.data(), seconds=st.integers(0, 100))
    def settle(self, process: int, data: Any, seconds: int) -> None:
        """One that is owned was delivered, or is rescheduled, or becomes a dead letter."""
        spool, me, _ = self.processes[process]
        if not (owned := self._owned(me)):
            return
        row_id = data.draw(st.sampled_from(owned))
        what = data.draw(st.sampled_from(["complete", "reschedule", "dead_letter"]))
        with spool.transaction():
            if what == "complete":
                spool.complete([row_id])
                del self.rows[row_id]
            elif what == "reschedule":
                spool.reschedule(me, row_id, due=self.now + seconds, error="x")
                self.owner[row_id] = NOBODY
                self.due[row_id] = self.now + seconds
                self.attempts[row_id] += 1
            else:
                spool.dead_letter(me, row_id, error="x")
                self.dead.add(row_id)

    @stateful.rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        """Time goes by."""
        self.now += seconds

    @stateful.rule(process=st.integers(0, 1))
    def crash(self, process: int) -> None:
        """A process ends without a word, comes back, and the other takes over what it had."""
        spool, me, lock = self.processes[process]
        lock.close()
        spool.close()
        other = self.processes[1 - process][0]
        taken = other.process_locks.lock_if_dead(me)
        assert taken is not None
        with other.transaction():
            other.owners.remove(me)
        taken.close(removes=True)
        for row_id in self._owned(me):
            self.owner[row_id] = NOBODY
        self.processes[process] = self._open()

    @stateful.rule(process=st.integers(0, 1))
    def fail(self, process: int) -> None:
        """A transaction that fails changes nothing."""
        spool, me, _ = self.processes[process]
        with contextlib.suppress(LookupError), spool.transaction():
            spool.insert([new_row()], [me])
            spool.claim(me, rows=10, size=10**9)
            spool.complete(list(self.rows))
            raise LookupError

    @stateful.rule()
    def retry_dead(self) -> None:
        """All dead letters wait again."""
        with self.processes[0][0].transaction():
            assert self.processes[0][0].retry_dead() == len(self.dead)
        for row_id in self.dead:
            self.owner[row_id] = NOBODY
            self.due[row_id] = self.now
            self.attempts[row_id] = 0
        self.dead.clear()

    @stateful.invariant()
    def totals_are_true(self) -> None:
        """The totals are those of the model, for both processes."""
        for spool, _, _ in self.processes:
            totals = spool.totals()
            waiting = self.rows.keys() - self.dead
            assert totals.waiting == len(waiting)
            assert totals.waiting_bytes == sum(self.rows[i].size for i in waiting)
            assert totals.dead == len(self.dead)
            assert totals.dead_bytes == sum(self.rows[i].size for i in self.dead)

    @stateful.invariant()
    def nothing_is_lost(self) -> None:
        """What was not delivered is waiting or dead, with its body."""
        spool = self.processes[0][0]
        kept = {record["id"]: record["raw"] for record in spool.reports.payloads("waiting")}
        assert kept.keys() == self.rows.keys() - self.dead
        kept |= {record["id"]: record["raw"] for record in spool.reports.payloads("dead")}
        assert kept == {row_id: row.raw for row_id, row in self.rows.items()}


class OrderedSpoolMachine(SpoolMachine):
    """The same, with sessions in order."""

    is_ordered = True


class TestSpool(SpoolMachine.TestCase):  # type: ignore[name-defined,misc]
    """Any processes may claim anything that is due."""

    settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


class TestOrderedSpool(OrderedSpoolMachine.TestCase):  # type: ignore[name-defined,misc]
    """Only the first of each session may be claimed."""

    settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
