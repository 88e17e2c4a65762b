"""The window of duplicates, in memory and in the spool, held against a model; clocks and bounds."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unisights._delivery import duplicates as in_memory
from unisights._delivery.duplicates import Window
from unisights._spool import clock
from unisights._spool import duplicates as in_spool
from unisights._spool.store import Spool

PROPERTY = settings(max_examples=100, deadline=None, derandomize="CI" in os.environ)

STEPS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from([0.0, 0.5, 1.0, 4.0, 9.0, 10.0])),
    max_size=40,
)
"""What comes, and how much later than what came before."""


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool of its own."""
    made = Spool(tmp_path / "spool.sqlite3")
    yield made
    made.close()


def _model(steps: list[tuple[str, float]], seconds: float, bound: int) -> list[bool]:
    """Which of what comes is a duplicate: accepted in the window, and among the last so many."""
    now, accepted, verdicts = 1000.0, list[tuple[str, float]](), list[bool]()
    for content_id, wait in steps:
        now += wait
        accepted = [(one, at) for one, at in accepted if now < at + seconds][-bound:]
        verdicts.append(content_id in [one for one, _ in accepted])
        if not verdicts[-1]:
            accepted.append((content_id, now))
    return verdicts


@given(steps=STEPS, bound=st.integers(1, 6))
@PROPERTY
def test_the_window_in_memory(steps: list[tuple[str, float]], bound: int) -> None:
    """What was accepted within the window is known, unless too much has come since."""
    clock = _Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_memory, "time", clock)
        patch.setattr(in_memory, "MAX_REMEMBERED", bound)
        window = Window(10.0)
        verdicts = []
        for content_id, wait in steps:
            clock.now += wait
            verdicts.append(content_id in window)
            if not verdicts[-1]:
                window.add(content_id)
            assert len(window._until) <= bound
    assert verdicts == _model(steps, 10.0, bound)


@given(steps=STEPS)
@PROPERTY
def test_the_window_in_the_spool(tmp_path_factory: Any, steps: list[tuple[str, float]]) -> None:
    """Likewise, whichever of two connections looks, and however little is purged."""
    moments = _Clock()
    path = tmp_path_factory.mktemp("spool") / "spool.sqlite3"
    both = [Spool(path), Spool(path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "boot_clock", moments.monotonic)
        verdicts = []
        for number, (content_id, wait) in enumerate(steps):
            moments.now += wait
            with both[number % 2].transaction() as spool:
                verdicts.append(content_id in spool.seen.known([content_id]))
                if not verdicts[-1]:
                    spool.seen.add([content_id], 10.0)
                spool.seen.purge(3)
    for spool in both:
        spool.close()
    assert verdicts == _model(steps, 10.0, 10**6)


def test_the_spools_window_is_bounded(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest go, before their time, a few at once."""
    monkeypatch.setattr(in_spool, "MAX_SEEN", 100)
    names = [f"{number:032x}" for number in range(1000)]
    for start in range(0, 1000, 50):
        with spool.transaction():
            spool.seen.add(names[start : start + 50], 3600)
            spool.seen.purge(108)
    assert spool._fetch_one("SELECT count(*) FROM seen") == (100,)
    assert spool.seen.known(names) == set(names[-100:])
    assert not spool.seen.has_old()


def test_what_cannot_be_is_forgotten_soon(spool: Spool) -> None:
    """After a restart of the host, whose clock begins anew, nothing is remembered for ever."""
    with spool.transaction():
        spool.seen.add(["a"], 10**9)
        spool.seen.cap(60)
    ((until,),) = spool._connection.execute("SELECT until FROM seen").fetchall()
    assert until <= clock.boot_clock() + 60
    assert spool.seen.known(["a"]) == {"a"}


def test_setting_the_clock_back_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window is on a clock that nobody can set."""
    window = Window(60.0)
    window.add("a")
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("time.time_ns", lambda: 0)
    assert "a" in window


def test_threads_share_a_window() -> None:
    """Whatever threads do at once, no more than the bound is remembered, and the last is known."""
    window = Window(60.0)
    start = threading.Barrier(8)

    def work(number: int) -> bool:
        start.wait()
        for step in range(500):
            window.add(f"{number}-{step}")
        return f"{number}-499" in window

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(window._until) == 4000


def _in_a_child(check: Callable[[], bool]) -> bool:
    child = os.fork()
    if not child:
        os._exit(0 if check() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_begins_anew() -> None:
    """Also if a thread of the parent holds the lock, which nobody releases in the child."""
    window = Window(60.0)
    window.add("a")
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with window.lock:
            held.set()
            let_go.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    try:
        assert _in_a_child(lambda: "a" not in window)
    finally:
        let_go.set()
        thread.join()
    assert "a" in window


def test_expiry_is_exact() -> None:
    """At its last moment a body is a duplicate; a moment later it is not."""
    clock = SimpleNamespace(monotonic=lambda: moments.pop(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_memory, "time", clock)
        moments = [0.0, 9.999, 10.0]
        window = Window(10.0)
        window.add("a")
        assert "a" in window
        assert "a" not in window
