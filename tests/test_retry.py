"""Retry: the pauses between attempts, and which values are refused."""

from typing import Any

import pytest

from unisights import ConfigurationError, Retry


def test_pauses_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound begins with `pause` and grows to `max_pause`."""
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    retry = Retry(attempts=50, pause=1.0, max_pause=6.0)
    assert [retry.pause_after(attempt) for attempt in (1, 2, 3, 4, 40)] == [1, 2, 4, 6, 6]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", 0),
        ("attempts", 1.5),
        ("attempts", True),
        ("pause", -1),
        ("pause", "1 s"),
        ("max_pause", float("inf")),
        ("max_pause", None),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: Any) -> None:
    """The error comes at construction and names the value."""
    with pytest.raises(ConfigurationError, match=f"Retry: {name}"):
        Retry(**{"attempts": 2, name: value})
