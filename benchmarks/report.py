"""A run as Markdown, which is easy to read on a terminal, too."""

from collections.abc import Iterable, Sequence

from benchmarks.bars import BARS, worst_bars
from benchmarks.bodies import RECORDED
from benchmarks.results import Results
from benchmarks.timing import Case

TITLES = {
    "decode": "From bytes to a payload",
    "load": "Requests to servers",
    "durable": "Durable beside inline delivery",
    "refuse": "Hostile bodies, beside an ordinary one of the same length",
    "decrypt": "Decryption",
    "grow": "Growth",
    "memory": "Memory",
    "import": "Import",
    "compare": "Two revisions",
}

_SCALES = {
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps")),
    "B": ((2**20, "MiB"), (2**10, "KiB"), (1, "B")),
}


def as_text(results: Results, sections: Iterable[str]) -> str:
    """The bars, and the cases of some sections: the ratio, its quartiles, and the figure itself."""
    parts = [_table(bar_rows(results)), _machine(results), *results.notes]
    for section in sections:
        parts.append(f"## {TITLES[section]}")
        alike: dict[tuple[str, ...], list[Case]] = {}
        for case in results.sections[section]:
            alike.setdefault((case.reference, *case.samples), []).append(case)
        parts += [_table(_case_rows(group)) for group in alike.values()]
    return "\n\n".join(parts)


def bar_rows(results: Results) -> list[Sequence[str]]:
    """A row for each bar that was measured, behind the heads of the columns."""
    rows: list[Sequence[str]] = [("figure", "measured", RECORDED, "bar", "goal", "result")]
    for bar in (*BARS, *worst_bars(results)):
        value = bar.value(results)
        if value is None:
            continue
        recorded = bar.value(results, RECORDED) if "{}" in bar.case else None
        measured = (f"{_number(each)} {bar.unit}" if each else "" for each in (value, recorded))
        limits = (f"{bar.sign} {_number(each)}" if each else "" for each in (bar.limit, bar.goal))
        rows.append((bar.what, *measured, *limits, bar.result(value)))
    return rows


def _case_rows(cases: Sequence[Case]) -> list[Sequence[str]]:
    """Cases of the same contestants as one table, its longer side downwards."""
    first = cases[0]
    names = [name for name in first.samples if name != first.reference or len(first.samples) == 1]
    columns = [[_cell(case, name) for name in names] for case in cases]
    heads = [case.name for case in cases]
    if len(cases) > len(names):
        return [
            (f"× {first.reference}", *names),
            *zip(heads, *zip(*columns, strict=True), strict=True),
        ]
    return [(f"× {first.reference}", *heads), *zip(names, *columns, strict=True)]


def _cell(case: Case, name: str) -> str:
    own = _quantity(case.median(name), case.unit)
    if name == case.reference:
        return own
    low, high = case.quartiles(name)
    return f"{_number(case.ratio(name))} ({_number(low)}–{_number(high)}): {own}"


def _machine(results: Results) -> str:
    at = results.machine
    return (
        f"Measured on {at['taken']}: {at['cores']} cores of {at['processor']}, {at['kernel']}, "
        f"{at['python']}, revision {at['revision']}, load average {at['load_average']}.\n"
        + ", ".join(f"{name} {version}" for name, version in at["packages"].items())
        + "."
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; its first row is the heads of its columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join(f"| {' | '.join(map(str.ljust, cells, widths))} |" for cells in lines)


def _number(value: float) -> str:
    """A number of three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _quantity(value: float, unit: str) -> str:
    """A number with its unit, which is scaled."""
    scales = _SCALES.get(unit, ((1, unit),))
    scale, name = next((pair for pair in scales if value >= pair[0]), scales[-1])
    return f"{_number(value / scale)} {name}"
