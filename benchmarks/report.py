"""A run as text for a terminal."""

from collections.abc import Iterator, Sequence

from benchmarks.bars import BARS, Bar, worst_bars
from benchmarks.results import Results
from benchmarks.timing import Case, Spread

TITLES = {
    "decode": "From bytes to a payload",
    "recordings": "The bodies recorded from the browser client",
    "refuse": "Hostile bodies, beside an ordinary one of the same length",
    "encode": "From a payload to JSON",
    "decrypt": "Decryption",
    "grow": "Growth",
    "memory": "Memory",
    "import": "Import",
    "load": "End to end",
    "durable": "Durable beside inline delivery",
    "compare": "Two revisions",
}


_SCALES = {
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps")),
    "B": ((2**20, "MiB"), (2**10, "KiB"), (1, "B")),
}


def as_text(results: Results) -> str:
    """Everything that a run has found: the bars, then each section, ratios first."""
    parts = [machine_line(results)]
    if all_bars(results):
        parts.append(table(bar_rows(results)))
    for section, cases in results.sections.items():
        parts.append(f"{TITLES[section]}\n{'=' * len(TITLES[section])}")
        parts += section_as_text(cases)
    return "\n\n".join([*parts, *results.notes])


def machine_line(results: Results) -> str:
    """Where it was measured, in a sentence."""
    at = results.machine
    return (
        f"Measured on {at['taken']}: {at['cores']} cores of {at['processor']}, {at['kernel']}, "
        f"{at['python']}, revision {at['revision']}, load average {at['load_average']}.\n"
        + ", ".join(f"{name} {version}" for name, version in at["packages"].items())
        + "."
    )


def all_bars(results: Results) -> list[tuple[Bar, float]]:
    """Each bar whose figure was measured, and the figure."""
    measured = ((bar, bar.value(results)) for bar in [*BARS, *worst_bars(results)])
    return [(bar, value) for bar, value in measured if value is not None]


def verdict(bar: Bar, value: float) -> str:
    """Whether the bar is met, and the one after it."""
    if not bar.is_met(value, bar.bar):
        return "NOT MET"
    if bar.then is not None and bar.is_met(value, bar.then):
        return "met, and the next"
    return "met"


def bar_rows(results: Results) -> list[tuple[str, ...]]:
    """The bars as the rows of a table, the heads of its columns first."""
    rows = [("figure", "measured", "by processor time", "bar", "then", "verdict")]
    for bar, value in all_bars(results):
        by_time = bar.by_processor_time(results)
        rows.append(
            (
                bar.what,
                f"{number(value)} {bar.unit}",
                f"{number(by_time)} {bar.unit}" if by_time else "",
                f"{bar.sign} {number(bar.bar)} {bar.unit}",
                f"{bar.sign} {number(bar.then)} {bar.unit}" if bar.then else "",
                verdict(bar, value),
            )
        )
    return rows


def section_as_text(cases: Sequence[Case]) -> Iterator[str]:
    """Each case as a table; the cases of the same two contestants, as one."""
    alike: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        alike.setdefault(tuple(case.samples), []).append(case)
    for names, group in alike.items():
        if len(names) == 2:  # a pair
            yield pairs_as_text(group)
        else:
            yield from map(case_as_text, group)


def case_as_text(case: Case) -> str:
    """A case: by contestant the ratio, its quartiles, the figure, its quartiles."""
    facts = ", ".join(f"{value:,} {name}" for name, value in case.facts.items())
    heading = f"{case.name} ({facts})" if facts else case.name
    rows = [(heading, f"× {case.reference}", "quartiles", case.unit, "quartiles")]
    for name in case.samples:
        ratio, own = case.ratio(name), case.spread(name)
        rows.append((name, *_spread(ratio), *_spread(own, case.unit)))
    if len(case.samples[case.reference]) == 1:
        return table([(name, ratio, own) for name, ratio, _, own, _ in rows])
    return table(rows)


def pairs_as_text(cases: Sequence[Case]) -> str:
    """Cases of the same two contestants: a row for each."""
    reference = cases[0].reference
    (other,) = set(cases[0].samples) - {reference}
    rows = [(other, f"× {reference}", "quartiles", other, reference)]
    for case in cases:
        absolute = [quantity(case.spread(name).median, case.unit) for name in (other, reference)]
        rows.append((case.name, *_spread(case.ratio(other)), *absolute))
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns, the first one to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *others = (
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join((first, *others)).rstrip())
    return "\n".join(lines)


def number(value: float) -> str:
    """A number of three digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def quantity(value: float, unit: str) -> str:
    """A number with its unit; seconds as what people say."""
    scales = _SCALES.get(unit, ((1, unit),))
    scale, name = next((pair for pair in scales if value >= pair[0]), scales[-1])
    return f"{number(value / scale)} {name}"


def _spread(spread: Spread, unit: str = "") -> tuple[str, str]:
    if not unit:
        return f"{spread.median:.2f}", f"{spread.low:.2f}–{spread.high:.2f}"
    ends = f"{quantity(spread.low, unit)}–{quantity(spread.high, unit)}"
    return quantity(spread.median, unit), ends
