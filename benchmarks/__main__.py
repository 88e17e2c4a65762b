"""`python -m benchmarks`: measure, print, keep."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import load, machine, readme, report, results
from benchmarks.compare import compare
from benchmarks.parts import FULL, PARTS, QUICK, measure
from benchmarks.results import Results


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    told = _parser().parse_args(arguments)
    efforts, kept = (FULL, results.FULL) if told.full else (QUICK, results.QUICK)
    if told.write_readme:
        readme.write()
        return
    if told.compare:
        has_load = load.is_available()
        cases = compare(
            told.compare, efforts.few, efforts.imports, efforts.load if has_load else None
        )
        notes = [] if has_load else [load.MISSING]
        found = Results(machine.describe(), {"compare": cases}, notes)
        kept = results.COMPARED
    else:
        found = measure(told.parts or list(PARTS), efforts)
    print(report.as_text(found))
    if told.json or not told.parts:  # A part alone must not take the place of everything.
        found.write(told.json or kept)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all, if none is named")
    parser.add_argument("--full", action="store_true", help="more rounds: ten minutes, not two")
    parser.add_argument("--compare", metavar="BASE", help="compare the package with a revision")
    parser.add_argument("--write-readme", action="store_true", help="show what a full run has kept")
    parser.add_argument("--json", type=Path, help="where the results are kept")
    return parser


if __name__ == "__main__":
    main()
