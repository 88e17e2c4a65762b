"""`python -m benchmarks`: measures, prints the results, and keeps them as JSON."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import load, report, results
from benchmarks.compare import compare
from benchmarks.parts import FULL, PARTS, QUICK, measure
from benchmarks.results import Results


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    asked = _parser().parse_args(arguments)
    if asked.last:
        print(report.as_text(results.read(asked.json or results.FULL), asked.parts))
        return
    efforts, path = (FULL, results.FULL) if asked.full else (QUICK, results.QUICK)
    if asked.compare:
        cases = compare(asked.compare, efforts.few, efforts.imports, efforts.load)
        notes = [] if load.is_available() else [load.MISSING]
        found, path = Results(sections={"compare": cases}, notes=notes), results.COMPARED
    else:
        found = measure(asked.parts or list(PARTS), efforts)
    print(report.as_text(found, found.sections))
    if asked.json or not asked.parts:  # A part alone must not take the place of a whole run.
        found.write(asked.json or path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all, if none is named")
    parser.add_argument("--full", action="store_true", help="more rounds: ten minutes, not two")
    parser.add_argument("--compare", metavar="BASE", help="compare the package with a revision")
    parser.add_argument(
        "--last",
        action="store_true",
        help="print the last full run: bars, named parts",
    )
    parser.add_argument("--json", type=Path, help="where the results are kept")
    return parser


if __name__ == "__main__":
    main()
