"""`python -m benchmarks`: measure, print, keep."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import decoding, imports, load, machine, report, results
from benchmarks.load import LoadEffort
from benchmarks.results import Results
from benchmarks.timing import Case, Effort


@dataclass(frozen=True)
class Efforts:
    """How much is spent on each part.

    Attributes:
        decode: on the decoders.
        many: on what has many cases.
        imports: how many processes import each package.
        load: on each app under load.
    """

    decode: Effort
    many: Effort
    imports: int
    load: LoadEffort


QUICK = Efforts(Effort(9, 0.01), Effort(5, 0.004), 5, LoadEffort(2, 1))
FULL = Efforts(Effort(31, 0.03), Effort(15, 0.02), 21, LoadEffort(9, 2))

PARTS: dict[str, Callable[[Efforts], list[Case]]] = {
    "decode": lambda efforts: decoding.measure_decoding(efforts.decode),
    "recordings": lambda efforts: decoding.measure_captures(efforts.many),
    "refuse": lambda efforts: decoding.measure_refusals(efforts.many),
    "encode": lambda efforts: decoding.measure_encoding(efforts.decode),
    "decrypt": lambda efforts: decoding.measure_decryption(efforts.decode),
    "import": lambda efforts: imports.measure_imports(efforts.imports),
    "load": lambda efforts: [
        case
        for name, body in load.bodies().items()
        for case in load.measure_load(name, body, efforts.load)
    ],
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    told = _parser().parse_args(arguments)
    efforts, path = (FULL, results.FULL) if told.full else (QUICK, results.QUICK)
    found = measure(told.parts or list(PARTS), efforts)
    print(report.as_text(found))
    found.write(told.json or path)


def measure(parts: Sequence[str], efforts: Efforts) -> Results:
    """Run some parts."""
    found = Results(machine.describe())
    for part in parts:
        if part == "load" and not load.is_available():
            found.notes.append(load.MISSING)
            continue
        found.sections[part] = PARTS[part](efforts)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all, if none is named")
    parser.add_argument("--full", action="store_true", help="more rounds: ten minutes, not two")
    parser.add_argument("--json", type=Path, help="where the results are kept")
    return parser


if __name__ == "__main__":
    main()
