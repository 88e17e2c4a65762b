"""The queue of background delivery: closing, reopening, forking."""

import os
import threading
import time
from typing import Any

import pytest

from tests.processes import wait_for
from tests.support import make_body
from unisights import RequestInfo, UndeliveredError, decode_unisights_payload
from unisights._delivery.work_queue import QueuedPayload, Submitted, WorkQueue


class _Work:
    """Records what a queue runs and gives up."""

    def __init__(self, drain_timeout: float = 30.0, **options: Any) -> None:
        self.drain_timeout = drain_timeout
        self.ran: list[QueuedPayload] = []
        self.reported: list[tuple[QueuedPayload, Exception]] = []
        self.goes_on = threading.Event()
        settings = {"max_payloads": 100, "max_bytes": 10**6, "workers": 2}
        self.queue = WorkQueue(
            self._run,
            lambda queued, error: self.reported.append((queued, error)),
            **{**settings, **options},
        )

    def _run(self, queued: QueuedPayload) -> None:
        self.goes_on.wait(30)
        self.ran.append(queued)

    def close(self) -> None:
        self.queue.close(self.drain_timeout)

    def submit(self) -> Submitted:
        payload = decode_unisights_payload(make_body())
        return self.queue.submit(
            QueuedPayload(payload, RequestInfo(method="POST", path="/", headers={}))
        )


def test_closing_waits_for_what_is_queued() -> None:
    """Closing returns once everything was run, and nothing is reported."""
    work = _Work()
    for _ in range(10):
        work.submit()
    threading.Timer(0.1, work.goes_on.set).start()
    work.close()
    assert len(work.ran) == 10
    assert work.reported == []


def test_closing_gives_up_what_does_not_end() -> None:
    """After drain_timeout, what still waits or runs is reported, each once, and closing returns."""
    work = _Work(drain_timeout=0.2)
    for _ in range(5):
        work.submit()
    began = time.monotonic()
    work.close()
    assert time.monotonic() - began < 10
    assert len({id(job) for job, _ in work.reported}) == len(work.reported) == 5
    assert all(isinstance(error, UndeliveredError) for _, error in work.reported)
    work.goes_on.set()
    wait_for(lambda: len(work.ran) == 2, "the end of what was running")
    time.sleep(0.1)
    # What was reported before it ran does not run any more.
    assert len(work.ran) == 2


def test_a_closed_queue_takes_nothing_until_it_is_opened() -> None:
    """Closed is said apart from full; opened again, it works as before."""
    work = _Work()
    work.goes_on.set()
    work.close()
    assert work.submit() is Submitted.CLOSED
    work.queue.open()
    assert work.submit() is Submitted.QUEUED
    wait_for(lambda: len(work.ran) == 1, "the run")


def test_closing_twice_is_harmless() -> None:
    """A lifespan and the interpreter's end may both close."""
    work = _Work()
    work.goes_on.set()
    work.submit()
    work.close()
    work.close()
    assert len(work.ran) == 1


def test_room_comes_back() -> None:
    """What was run makes room, in number and in bytes."""
    size = len(make_body())
    work = _Work(max_payloads=2, max_bytes=2 * size)
    assert [work.submit() for _ in range(3)] == [Submitted.QUEUED, Submitted.QUEUED, Submitted.FULL]
    work.goes_on.set()
    wait_for(lambda: len(work.ran) == 2, "the runs")
    for _ in range(20):
        wait_for(lambda: work.submit() is Submitted.QUEUED, "room")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """They start again with the next payload, as often as it takes."""
    monkeypatch.setattr("unisights._delivery.work_queue.IDLE_SECONDS", 0.001)
    work = _Work()
    work.goes_on.set()
    for count in range(1, 6):
        assert work.submit() is Submitted.QUEUED
        wait_for(lambda count=count: len(work.ran) == count, "the handling")
        wait_for(lambda: not work.queue._threads, "the end of the thread")
    work.close()
    assert work.reported == []


def test_nothing_is_left_behind_by_threads_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often threads end while payloads arrive, each payload is handled once."""
    monkeypatch.setattr("unisights._delivery.work_queue.IDLE_SECONDS", 0.0)
    work = _Work(max_payloads=10_000)
    work.goes_on.set()
    senders = [
        threading.Thread(target=lambda: [work.submit() for _ in range(500)]) for _ in range(4)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(30)
    assert work.queue.drain(30)
    assert len({id(queued) for queued in work.ran}) == len(work.ran) == 2000
    work.close()


def test_a_forked_child_begins_anew() -> None:
    """A child of a process whose queue is at work has a queue of its own that works."""
    work = _Work()
    work.submit()
    work.submit()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Only the child's own payload is run here, and the parent's are left to the parent.
        work.goes_on.set()
        work.submit()
        work.close()
        os.write(writer, str(len(work.ran)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"1"
    os.close(reader)
    os.close(writer)
    work.goes_on.set()
    work.close()
    assert len(work.ran) == 2


def test_a_failure_is_reported_once() -> None:
    """What run raises is reported with its payload, unless it has been reported before."""
    failed: list[tuple[QueuedPayload, Exception]] = []
    goes_on = threading.Event()

    def run(queued: QueuedPayload) -> None:
        goes_on.wait(30)
        raise LookupError

    work = _Work(drain_timeout=0.1)
    work.queue = WorkQueue(
        run,
        lambda queued, error: failed.append((queued, error)),
        max_payloads=10,
        max_bytes=10**6,
        workers=1,
    )
    work.submit()
    work.close()
    goes_on.set()
    work.queue.open()
    work.submit()
    wait_for(lambda: len(failed) == 2, "the second failure")
    time.sleep(0.1)
    assert [type(error) for _, error in failed] == [UndeliveredError, LookupError]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
@pytest.mark.filterwarnings("error")
def test_workers_outlive_whatever_is_raised(error: BaseException) -> None:
    """A handler that ends its thread by force fails, and the queue goes on."""
    failed: list[Exception] = []

    def run(queued: QueuedPayload) -> None:
        if not failed:
            raise error
        done.append(queued)

    done: list[QueuedPayload] = []
    work = _Work()
    work.queue = WorkQueue(
        run,
        lambda queued, error: failed.append(error),
        max_payloads=10,
        max_bytes=10**6,
        workers=1,
    )
    work.submit()
    wait_for(lambda: failed, "the failure")
    work.submit()
    wait_for(lambda: done, "the next run")
    assert isinstance(failed[0], Exception)


def test_async_handlers_cannot_end_the_loop() -> None:
    """`sys.exit()` in an async handler fails that handler, not the loop of all others."""
    from unisights._runtime.event_loop import shared_loop

    async def leave() -> None:
        raise SystemExit(1)

    async def stay() -> int:
        return 5

    with pytest.raises(RuntimeError, match="SystemExit"):
        shared_loop().run(leave())
    assert shared_loop().run(stay()) == 5


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_wait_goes_on(
    monkeypatch: pytest.MonkeyPatch, interrupt: type[BaseException]
) -> None:
    """Servers that raise out of the wait do not cut it short; they get their way at its end."""
    work = _Work(workers=1)
    for _ in range(3):
        work.submit()
    wait = work.queue._changed.wait
    interrupts = [interrupt(), interrupt()]

    def wait_or_raise(timeout: float) -> bool:
        if interrupts:
            raise interrupts.pop()
        work.goes_on.set()
        return wait(timeout)

    monkeypatch.setattr(work.queue._changed, "wait", wait_or_raise)
    with pytest.raises(interrupt):
        work.close()
    assert len(work.ran) == 3
    assert work.reported == []


def test_a_hanging_report_does_not_hold_the_end() -> None:
    """However long on_error takes, closing ends."""
    stuck = threading.Event()
    work = _Work(drain_timeout=0.1)
    work.queue = WorkQueue(
        lambda queued: stuck.wait(30),
        lambda queued, error: stuck.wait(30),
        max_payloads=10,
        max_bytes=10**6,
        workers=1,
    )
    work.submit()
    began = time.monotonic()
    work.queue.close(0.1, report_seconds=0.2)
    assert time.monotonic() - began < 10
    stuck.set()


def test_without_threads_nothing_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload for which no thread can be started is refused, and runs neither then nor later."""
    work = _Work()
    work.goes_on.set()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert work.submit() is Submitted.FULL
    assert work.submit() is Submitted.QUEUED
    wait_for(lambda: work.ran, "the run")
    time.sleep(0.1)
    assert len(work.ran) == 1


def test_a_queue_may_be_worked_off_by_drains_only() -> None:
    """In the thread that drains, and in no other; what is left is dropped when it is closed."""
    threads = []
    work = _Work(only_in_drain=lambda: True)
    work.goes_on.set()
    work.queue._run = lambda _: threads.append(threading.get_ident())
    for _ in range(3):
        assert work.submit() is Submitted.QUEUED
    assert work.queue.held[0] == 3
    assert work.queue.drain(0) is False
    assert threads == []
    assert work.queue.drain(30) is True
    assert threads == [threading.get_ident()] * 3
    assert work.queue.held == (0, 0)
    work.submit()
    work.close()
    assert len(threads) == 3
    assert work.reported == []
    assert work.queue.held == (0, 0)
