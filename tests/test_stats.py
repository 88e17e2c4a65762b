"""The counters by themselves: exact under threads, anew in a child."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from unisights.stats import Counters, Gauges


def test_threads_lose_no_count() -> None:
    """What many threads count at once, while others read, is exact in the end."""
    counters = Counters()
    start = threading.Barrier(9)
    interval = sys.getswitchinterval()

    def count() -> None:
        start.wait()
        for _ in range(5000):
            counters.add("accepted")
            counters.refuse("too_large")
        counters.add("accepted", 7)

    def read() -> None:
        start.wait()
        for _ in range(200):
            stats = counters.snapshot(Gauges())
            assert stats.received == stats.accepted + sum(stats.refused.values())

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(9) as pool:
            for future in [*(pool.submit(count) for _ in range(8)), pool.submit(read)]:
                future.result()
    finally:
        sys.setswitchinterval(interval)
    stats = counters.snapshot(Gauges())
    assert stats.accepted == 8 * 5007
    assert stats.refused["too_large"] == 8 * 5000
    assert stats.received == 8 * 10007


def test_reading_changes_nothing() -> None:
    """However often it is read, what was counted is the same."""
    counters = Counters()
    counters.add("delivered")
    assert len({counters.snapshot(Gauges(1, 2)).delivered for _ in range(10)}) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_begins_at_zero() -> None:
    """Each process counts for itself."""
    counters = Counters()
    counters.add("accepted")
    counters.refuse("too_large")
    child = os.fork()
    if not child:
        counters.add("accepted")
        os._exit(0 if counters.snapshot(Gauges()).received == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counters.snapshot(Gauges()).received == 2
