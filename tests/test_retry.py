"""What follows from a failed attempt, by itself."""

import pytest

from unisights import UnisightsOptions
from unisights._delivery.retry import RetryPolicy


@pytest.fixture(autouse=True)
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait is the longest that may be drawn."""
    monkeypatch.setattr("random.uniform", lambda _least, most: most)


def test_waits_double_up_to_the_longest() -> None:
    """The bound begins with `retry_delay` and grows to `retry_max_delay`."""
    policy = RetryPolicy(UnisightsOptions(retry_delay=1.0, retry_max_delay=6.0))
    assert [policy.delay_after(attempt) for attempt in (1, 2, 3, 4, 40)] == [1, 2, 4, 6, 6]


def test_the_last_attempt_is_followed_by_none() -> None:
    """With `max_attempts` failures, a payload becomes a dead letter."""
    policy = RetryPolicy(UnisightsOptions(max_attempts=3))
    assert policy.delay_after(2) is not None
    assert policy.delay_after(3) is None
    assert policy.delay_after(4) is None


def test_what_is_too_old_is_not_attempted() -> None:
    """Beyond `max_age`, not at it."""
    policy = RetryPolicy(UnisightsOptions(max_age=10))
    assert [policy.is_too_old(age) for age in (9.9, 10.0, 10.1)] == [False, False, True]
