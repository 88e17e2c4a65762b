"""Whether cost grows as the work grows: what is measured elsewhere, for each byte."""

from benchmarks.decoders import OURS
from benchmarks.results import Results
from benchmarks.timing import Case

TYPICAL = "100 events"
LARGEST = "10,000 events"
TIME = "time for each byte"
HELD = "memory held for each byte"


def growth(results: Results) -> list[Case]:
    """Our figures divided by the length of the body, for one body after another."""
    decode, memory, refuse = (
        results.sections.get(section, []) for section in ("decode", "memory", "refuse")
    )
    held = [case for case in memory if case.name.startswith("held, ")]
    cases = [
        *_by_size(TIME, "s", decode),
        *_by_size(HELD, "B", held),
    ]
    if len(refuse) > 1:
        small, *_, large = refuse
        cases += [
            Case(
                name, "s", small.name, {each.name: _per_byte(each, name) for each in (small, large)}
            )
            for name in small.samples
        ]
    return cases


def _by_size(name: str, unit: str, cases: list[Case]) -> list[Case]:
    samples = {case.name.removeprefix("held, "): _per_byte(case, OURS) for case in cases}
    return [Case(name, unit, TYPICAL, samples)] if TYPICAL in samples else []


def _per_byte(case: Case, contestant: str) -> list[float]:
    return [value / case.facts["bytes"] for value in case.samples[contestant]]
