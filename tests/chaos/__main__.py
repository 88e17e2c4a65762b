"""`python -m tests.chaos`: proves that nothing acknowledged is lost, by trying to lose it."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.chaos.events import EVENTS
from tests.chaos.hosts import DELIVERIES, HOSTS, Host
from tests.chaos.hosts import SHORT as SHORT_TABLE
from tests.chaos.scenarios import EARLY, LONG, SCENARIOS, SHORT, Plan, Report
from tests.chaos.table import Cell, markdown, print_table
from tests.chaos.target import TARGETS

LONG_TABLE = {(name, delivery): tuple(EVENTS) for name in HOSTS for delivery in DELIVERIES}

_HEAD = (
    f"{'scenario':15} {'on':16} {'acknowledged':>12} {'delivered':>9} {'duplicated':>10} "
    f"{'lost':>5} {'503':>5} {'no answer':>9}  how"
)


def make_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="two minutes, not the better part of an hour"
    )
    parser.add_argument(
        "--early",
        action="store_true",
        help="acknowledge too early, to show that a loss is found: then it fails",
    )
    parser.add_argument("--only", choices=[*SCENARIOS, "hosts"], help="one scenario")
    parser.add_argument("--target", choices=[*TARGETS, *HOSTS], help="one app")
    parser.add_argument("--delivery", choices=DELIVERIES, help="for hosts: one delivery")
    parser.add_argument("--event", choices=EVENTS, help="for hosts: one event")
    parser.add_argument("--markdown", type=Path, help="for hosts: a file to write the table to")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run scenarios, print a line for each, and return 1 if anything was lost."""
    options = make_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Else, the servers would be left behind.
    plans = [
        plan
        for plan in (EARLY if options.early else SHORT if options.short else LONG)
        if options.only in {None, plan.scenario} and options.target in {None, plan.target}
    ]
    cells = fill_table(options)
    if not plans:
        return 0 if cells and all(cell.is_good for cell in cells) else 1
    print(_HEAD, flush=True)
    reports = [report for plan in plans if (report := run(plan)) is not None]
    for report in reports:
        if not report.is_good:
            print(f"FAILED: {report}", file=sys.stderr)
    lost = sum(report.lost for report in reports)
    acknowledged = sum(report.acknowledged for report in reports)
    print(f"{acknowledged} acknowledged, {lost} lost")
    good = [report.is_good for report in reports] + [cell.is_good for cell in cells]
    return 0 if reports and all(good) else 1


def fill_table(options: argparse.Namespace) -> list[Cell]:
    """Fill the table of hosts and events, as far as it is asked for, and print it."""
    if options.early or options.only not in {None, "hosts"}:
        return []
    plans = [
        (Host(name, delivery), [event for event in events if options.event in {None, event}])
        for (name, delivery), events in (SHORT_TABLE if options.short else LONG_TABLE).items()
        if options.target in {None, name} and options.delivery in {None, delivery}
    ]
    if not plans:
        return []
    cells = print_table(plans)
    for cell in cells:
        if not cell.is_good:
            print(f"FAILED: {cell}", file=sys.stderr)
    print(f"{sum(cell.acknowledged for cell in cells)} acknowledged in {len(cells)} cells")
    if options.markdown is not None:
        options.markdown.write_text(markdown(cells))
    return cells


def run(plan: Plan) -> Report | None:
    """Run a scenario, and print its line; None if it needs a server that is not installed."""
    try:
        with tempfile.TemporaryDirectory(prefix="unisights-chaos-") as directory:
            report = plan.run(Path(directory))
    except pytest.skip.Exception as skipped:
        print(f"{plan.scenario:15} {plan.target:16} skipped: {skipped}", flush=True)
        return None
    print(
        f"{report.scenario:15} {report.target:16} {report.acknowledged:12} {report.delivered:15} "
        f"{report.duplicated:10} {report.lost:5} {report.refused:5} {report.unanswered:15}  "
        f"{report.note}",
        flush=True,
    )
    return report


if __name__ == "__main__":
    sys.exit(main())
