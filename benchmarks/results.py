"""What a run has measured, kept as JSON."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.machine import describe_machine
from benchmarks.timing import Case

DIRECTORY = ROOT / "benchmarks" / "results"
FULL = DIRECTORY / "full.json"
QUICK = DIRECTORY / "quick.json"
COMPARED = DIRECTORY / "compared.json"


@dataclass
class Results:
    """One run.

    Attributes:
        machine: where it ran, and with what.
        sections: the cases, by section.
        notes: what a reader must know, such as what was left out.
    """

    machine: dict[str, Any] = field(default_factory=describe_machine)
    sections: dict[str, list[Case]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def case(self, section: str, name: str) -> Case | None:
        """A case by its name, if it was measured."""
        cases = (case for case in self.sections.get(section, []) if case.name == name)
        return next(cases, None)

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_rounded(dataclasses.asdict(self)), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> Results:
    """Read what `write` has written."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    names = [each.name for each in dataclasses.fields(Case)]
    sections = {
        section: [Case(**{name: case[name] for name in names}) for case in cases]
        for section, cases in kept["sections"].items()
    }
    return Results(kept["machine"], sections, kept["notes"])


def _rounded(value: Any) -> Any:
    """The same with no more digits than mean something."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
