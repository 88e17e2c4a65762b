"""The one computation of how long to wait between attempts."""

import pytest

from unisights._runtime.backoff import backoff


@pytest.mark.parametrize(
    ("attempt", "bound"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (5, 5.0), (10**6, 5.0)]
)
def test_the_bound_doubles_up_to_the_longest(
    monkeypatch: pytest.MonkeyPatch, attempt: int, bound: float
) -> None:
    """The wait is between half of a bound and the bound, which doubles up to a limit."""
    drawn: list[tuple[float, float]] = []

    def draw(least: float, most: float) -> float:
        drawn.append((least, most))
        return most

    monkeypatch.setattr("random.uniform", draw)
    assert backoff(attempt, first=1.0, longest=5.0) == bound
    assert drawn == [(bound / 2, bound)]


def test_waits_differ() -> None:
    """What failed at the same moment is not attempted again at the same moment."""
    assert len({backoff(3, first=1.0, longest=60.0) for _ in range(100)}) > 90


def test_no_wait_is_possible() -> None:
    """With a first bound of 0, every attempt follows at once."""
    assert [backoff(attempt, first=0.0, longest=9.0) for attempt in (1, 100)] == [0.0, 0.0]
