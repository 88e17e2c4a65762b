"""`python -m tests.chaos`: proves that nothing acknowledged is lost, by trying to lose it."""

import argparse
import sys
import tempfile
from pathlib import Path

import pytest

from tests.chaos.scenarios import EARLY, LONG, SCENARIOS, SHORT, Plan, Report
from tests.chaos.target import TARGETS

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
    parser.add_argument("--only", choices=SCENARIOS, help="one scenario")
    parser.add_argument("--target", choices=TARGETS, help="one app")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run scenarios, print a line for each, and return 1 if anything was lost."""
    options = make_parser().parse_args(arguments)
    plans = [
        plan
        for plan in (EARLY if options.early else SHORT if options.short else LONG)
        if options.only in {None, plan.scenario} and options.target in {None, plan.target}
    ]
    print(_HEAD, flush=True)
    reports = [report for plan in plans if (report := run(plan)) is not None]
    for report in reports:
        if not report.is_good:
            print(f"FAILED: {report}", file=sys.stderr)
    lost = sum(report.lost for report in reports)
    acknowledged = sum(report.acknowledged for report in reports)
    print(f"{acknowledged} acknowledged, {lost} lost")
    return 0 if reports and all(report.is_good for report in reports) else 1


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
