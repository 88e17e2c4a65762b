"""Durable delivery loses nothing: the short form of `make chaos`."""

from pathlib import Path

import pytest

from tests.chaos.scenarios import SHORT, Plan


@pytest.mark.parametrize("plan", SHORT, ids=lambda plan: f"{plan.scenario}-{plan.target}")
def test_nothing_is_lost(plan: Plan, tmp_path: Path) -> None:
    """What was acknowledged reaches the handler, whatever goes wrong in between.

    Duplicates have the content id of what was sent, as has everything.
    """
    report = plan.run(tmp_path)
    assert report.lost == 0
    assert report.mistaken == 0
    assert report.acknowledged > 0
