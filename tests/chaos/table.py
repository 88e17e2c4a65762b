"""The table of hosts and events: how it is filled, and how it is printed."""

import platform
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.chaos.events import EVENTS, PREFIXES, Happened, Session
from tests.chaos.hosts import Host
from tests.servers.servers import skip_if_missing

WAITED = "delivery waited for a request"
"""The note where a start alone does not begin the delivery of what is in the spool."""

_PATIENCE = 30.0
"""How long nothing may be delivered before what is missing counts as lost, in seconds."""

_SOON = 4.0
"""Likewise, where some may be lost, so that every time is waited for."""


@dataclass(frozen=True)
class Cell:
    """What became of the payloads of one event on one host.

    Attributes:
        acknowledged: how many were answered 200 or 202. Of clients that have left: how many the
            endpoint has accepted, by its own count.
        delivered: how many of them reached the handler.
        dead: how many did not, and are dead letters in the spool.
        reported: how many are neither, and were given to `on_error`.
        duplicates: how many more times than once the handler got one.
        may_lose: how many may be lost: what SIGKILL finds in the memory of background delivery.
        note: what else was seen.
    """

    host: Host
    event: str
    acknowledged: int
    delivered: int
    dead: int
    reported: int
    duplicates: int
    may_lose: int = 0
    note: str = ""

    @property
    def lost(self) -> int:
        """How many of them nothing and nobody holds."""
        return self.acknowledged - self.delivered - self.dead - self.reported

    @property
    def is_good(self) -> bool:
        """Whether no more was lost than may be, and something was there to be lost.

        A client that leaves is no reason not to deliver, and a restart is one to deliver the rest.
        """
        if WAITED in self.note or (self.event == "client leaves" and self.reported):
            return False
        return self.acknowledged > 0 and 0 <= self.lost <= self.may_lose


def fill(host: Host, events: Iterable[str], directory: Path) -> Iterator[Cell]:
    """Let events happen to a host, one after the other, and count after each.

    After one that has lost something, a new server gets the next one.
    """
    session: Session | None = None
    try:
        for number, event in enumerate(events):
            if session is None:
                skip_if_missing(host.combination)
                place = directory / str(number)
                place.mkdir()
                session = Session(host, place)
                session.start()
            try:
                cell = _count(session, event, EVENTS[event](session))
            except AssertionError as error:
                cell = Cell(host, event, 0, 0, 0, 0, 0, note=str(error).splitlines()[0])
            yield cell
            if not cell.is_good:
                session.server.close()
                session = None
    finally:
        if session is not None:
            session.server.close()


def _count(session: Session, event: str, happened: Happened) -> Cell:
    """Wait until delivery has caught up, and count."""
    server = session.server
    server.set_mood()
    if happened.waits_for_traffic:
        session.wake()
    held, counted = _settle(session, event, happened)
    notes = happened.notes
    if not happened.waits_for_traffic and held < counted:
        session.wake()
        before = held
        held, counted = _settle(session, event, happened)
        if held > before:
            notes.append(WAITED)
    handled = {
        label: ids for label, ids in server.handled().items() if _belongs(label, event, happened)
    }
    dead = {label for label in server.dead_letters() if _belongs(label, event, happened)}
    errors = {label for label in server.recorded("errors") if _belongs(label, event, happened)}
    return Cell(
        session.host,
        event,
        acknowledged=counted,
        delivered=len(handled),
        dead=len(dead - handled.keys()),
        reported=len(errors - dead - handled.keys()),
        duplicates=sum(len(ids) - 1 for ids in handled.values()),
        may_lose=happened.may_lose,
        note=", ".join(notes),
    )


def _settle(session: Session, event: str, happened: Happened) -> tuple[int, int]:
    """Wait until everything is accounted for, or nothing has been for a while."""
    server = session.server

    def count_held() -> int:
        names = {*server.handled(), *server.recorded("errors"), *server.dead_letters()}
        return sum(_belongs(name, event, happened) for name in names)

    expected = happened.accepted if happened.labels is None else len(happened.labels)
    held = count_held()
    patience = _SOON if happened.may_lose else _PATIENCE
    deadline = time.monotonic() + patience
    while held < expected and time.monotonic() < deadline:
        time.sleep(0.1)
        if (now := count_held()) > held:
            held, deadline = now, time.monotonic() + patience
    return held, expected


def _belongs(label: str, event: str, happened: Happened) -> bool:
    if happened.labels is None:
        return label.startswith(PREFIXES[event])
    return label in happened.labels


HEAD = (
    f"{'delivery':10} {'event':16} {'acknowl.':>8} {'delivered':>9} {'dead':>5} {'on_error':>8} "
    f"{'lost':>4} {'twice':>5}"
)


def line(cell: Cell) -> str:
    """A cell as a line of text, below `HEAD`."""
    lost = f"{cell.lost:4}" + ("" if cell.is_good else " !")
    allowed = f"  up to {cell.may_lose} may be lost" if cell.may_lose else ""
    return (
        f"{cell.host.delivery:10} {cell.event:16} {cell.acknowledged:8} {cell.delivered:9} "
        f"{cell.dead:5} {cell.reported:8} {lost} {cell.duplicates:5}{allowed}"
        + (f"  {cell.note}" if cell.note else "")
    ).rstrip()


def markdown(cells: Iterable[Cell]) -> str:
    """All cells as tables of Markdown: one for each delivery, the events in columns."""
    cells = list(cells)
    events = [event for event in EVENTS if any(cell.event == event for cell in cells)]
    lines = [f"Filled on {datetime.now(UTC).date()} with {_versions(cells)}."]
    for delivery in dict.fromkeys(cell.host.delivery for cell in cells):
        rows: dict[str, dict[str, str]] = {}
        for cell in cells:
            if cell.host.delivery == delivery:
                rows.setdefault(cell.host.name, {})[cell.event] = _short(cell)
        lines += ["", f"| {delivery.capitalize()} | {' | '.join(events)} |"]
        lines.append(f"| --- |{' --- |' * len(events)}")
        lines += [
            f"| {name} | {' | '.join(row.get(event, '') for event in events)} |"
            for name, row in rows.items()
        ]
    return "\n".join(lines) + "\n"


def _versions(cells: Iterable[Cell]) -> str:
    """What was run, with its versions."""
    combinations = {cell.host.name: cell.host.combination for cell in cells}.values()
    packages = {
        package
        for combination in combinations
        for package in (combination.app.needs, *combination.server.needs)
        if "." not in package
    }
    named = {f"{name.replace('_', '-')} {version(name)}" for name in packages}
    return ", ".join([f"Python {platform.python_version()}", *sorted(named)])


def _short(cell: Cell) -> str:
    """A cell: a number alone, if all were delivered."""
    is_all = cell.delivered == cell.acknowledged
    parts = [f"{cell.acknowledged}" + ("" if is_all else f": {cell.delivered} delivered")]
    for count, name in ((cell.dead, "dead"), (cell.reported, "on_error"), (cell.lost, "**lost**")):
        if count:
            parts.append(f"{count} {name}")
    if cell.duplicates:
        parts.append(f"{cell.duplicates} twice")
    return ", ".join(parts)


def print_table(plans: Iterable[tuple[Host, Iterable[str]]]) -> list[Cell]:
    """Fill a table, and print it meanwhile."""
    print(HEAD)
    cells: list[Cell] = []
    printed = ""
    for host, events in plans:
        if host.name != printed:
            print(f"{host.name}", flush=True)
            printed = host.name
        try:
            with tempfile.TemporaryDirectory(prefix="unisights-chaos-") as directory:
                for cell in fill(host, events, Path(directory)):
                    cells.append(cell)
                    print(line(cell), flush=True)
        except pytest.skip.Exception as skipped:
            print(f"{host.delivery:10} skipped: {skipped}", flush=True)
    return cells
