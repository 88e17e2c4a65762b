"""What was acknowledged is not lost: the short form of `make chaos`."""

from pathlib import Path

import pytest

from tests.chaos.hosts import SHORT as SHORT_TABLE
from tests.chaos.hosts import Host
from tests.chaos.scenarios import EARLY, SHORT, Plan
from tests.chaos.table import fill


@pytest.mark.parametrize("plan", SHORT, ids=lambda plan: f"{plan.scenario}-{plan.target}")
def test_nothing_is_lost(plan: Plan, tmp_path: Path) -> None:
    """What was acknowledged is delivered, whatever goes wrong in between.

    That is, it reaches the handler, or the destination of the sink. Duplicates have the content
    id of what was sent, as has everything; in PostgreSQL there are none.
    """
    report = plan.run(tmp_path)
    assert report.lost == 0
    assert report.mistaken == 0
    assert report.acknowledged > 0
    if plan.scenario.startswith("postgres"):
        assert report.duplicated == 0


@pytest.mark.parametrize(("name", "delivery"), SHORT_TABLE)
def test_no_host_loses_anything(name: str, delivery: str, tmp_path: Path) -> None:
    """Whatever happens to a host, what it acknowledged is delivered, a dead letter or reported.

    Only what background delivery holds in memory may be lost, by SIGKILL.
    """
    for cell in fill(Host(name, delivery), SHORT_TABLE[name, delivery], tmp_path):
        assert cell.is_good, cell


def test_a_loss_is_found(tmp_path: Path) -> None:
    """An app that acknowledges what it has in memory only is found to lose some of it."""
    report = EARLY[0].run(tmp_path)
    assert 0 < report.lost < report.acknowledged
    assert not report.is_good
