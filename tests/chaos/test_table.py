"""The table of hosts and events: what it takes for lost, and how it is printed."""

from dataclasses import replace

import pytest

from tests.chaos.events import EVENTS
from tests.chaos.hosts import HOSTS, SHORT, Host
from tests.chaos.table import HEAD, WAITED, Cell, line, markdown

GOOD = Cell(
    Host("waitress-flask", "background"),
    "SIGTERM",
    acknowledged=30,
    delivered=20,
    dead=4,
    reported=6,
    duplicates=2,
)


@pytest.mark.parametrize(
    ("cell", "is_good"),
    [
        (GOOD, True),
        (replace(GOOD, delivered=19), False),
        (replace(GOOD, delivered=19, event="SIGKILL", may_lose=60), True),
        (replace(GOOD, acknowledged=91, event="SIGKILL", may_lose=60), False),
        # Nothing was there to be lost.
        (Cell(GOOD.host, "SIGTERM", 0, 0, 0, 0, 0), False),
        # More is counted than was acknowledged: the count is wrong.
        (replace(GOOD, delivered=21), False),
        (replace(GOOD, event="restart", note=WAITED), False),
        # Whether a client waits for the answer makes no difference to delivery.
        (replace(GOOD, event="client leaves"), False),
        (replace(GOOD, event="client leaves", delivered=26, reported=0), True),
    ],
)
def test_what_is_good(cell: Cell, is_good: bool) -> None:
    """Every payload is accounted for; only SIGKILL may lose some, up to a bound."""
    assert cell.is_good is is_good


def test_lines_are_aligned() -> None:
    """Each number stands below its name; what is lost is marked."""
    ends = [HEAD.index(name) + len(name) for name in ("acknowl.", "delivered", "dead", "on_error")]
    lost = HEAD.index("lost") + len("lost")
    printed = line(replace(GOOD, delivered=19))
    assert [printed[:end].split()[-1] for end in (*ends, lost)] == ["30", "19", "4", "6", "1"]
    assert "1 !" in printed
    assert "!" not in line(GOOD)
    assert len(HEAD) <= 80


def test_markdown_has_a_table_for_each_delivery() -> None:
    """With the events in columns, and what was lost in bold."""
    durable = Cell(Host("gunicorn-flask", "durable"), "SIGTERM", 30, 30, 0, 0, 1)
    killed = replace(GOOD, event="SIGKILL", delivered=15, may_lose=60)
    text = markdown([GOOD, killed, durable])
    assert "waitress 3" in text
    assert text.endswith(
        """
| Background | SIGTERM | SIGKILL |
| --- | --- | --- |
| waitress-flask | 30: 20 delivered, 4 dead, 6 on_error, 2 twice | 30: 15 delivered, 4 dead, \
6 on_error, 5 **lost**, 2 twice |

| Durable | SIGTERM | SIGKILL |
| --- | --- | --- |
| gunicorn-flask | 30, 1 twice |  |
"""
    )


def test_the_short_form_has_every_event() -> None:
    """On hosts that there are."""
    assert {event for events in SHORT.values() for event in events} == EVENTS.keys()
    assert {name for name, _ in SHORT} <= HOSTS.keys()
