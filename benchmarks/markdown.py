"""A run as Markdown, for the README."""

from collections.abc import Iterator, Sequence

from benchmarks.decoders import LIMIT, OURS, decoders
from benchmarks.durable import COMMITS, DURABLE_LOAD
from benchmarks.report import bar_rows, machine_line, quantity
from benchmarks.results import Results
from benchmarks.serving import ASGI, DJANGO, DJANGO_ASYNC, FASTAPI, FLASK, FLASK_BACKGROUND
from benchmarks.timing import Case

EVENTS = 100

CLAIMS = {
    ASGI.name: "",
    FASTAPI.name: "5,000–10,000",
    FLASK.name: "",
    FLASK_BACKGROUND.name: "1,000–2,000",
    DJANGO.name: "1,000–2,000",
    DJANGO_ASYNC.name: "3,000–5,000",
}
"""What the product's page says that each adapter takes in a second."""


def as_markdown(results: Results) -> str:
    """What the README shows."""
    tables = [
        *_bars(results),
        *_decoders(results),
        *_events(results),
        *_durable(results),
        *_growth(results),
    ]
    return "\n\n".join([*tables, machine_line(results)])


def throughput(results: Results) -> dict[str, tuple[Case, str]]:
    """By app: the case in which it was under load with long bodies, and that case's group."""
    return {
        name: (case, case.name.partition(", ")[0])
        for case in results.sections.get("load", [])
        if case.unit == "requests/s" and case.name.endswith(f", {EVENTS} events")
        for name in case.samples
    }


def _bars(results: Results) -> Iterator[str]:
    (head, *rows) = bar_rows(results)
    if rows:
        yield table(head, rows)


def _decoders(results: Results) -> Iterator[str]:
    case = results.case("decode", f"{EVENTS} events")
    if case is None:
        return
    gives = {each.name: each.result for each in decoders()}
    rows = [
        (
            f"**{name}**" if name == OURS else name,
            f"{case.ratio(name).median:.2f}",
            quantity(case.spread(name).median, case.unit),
            gives[name],
        )
        for name in sorted(case.samples, key=lambda name: case.ratio(name).median)
    ]
    yield table((f"{EVENTS} events from bytes", f"× `{LIMIT}`", "Time", "What it gives"), rows)


def _events(results: Results) -> Iterator[str]:
    found = throughput(results)
    rows = [
        (
            adapter,
            f"{EVENTS * found[adapter][0].spread(adapter).median:,.0f}",
            f"{found[adapter][0].ratio(adapter).median:.2f} × {found[adapter][0].reference}",
            claim,
        )
        for adapter, claim in CLAIMS.items()
        if adapter in found
    ]
    if rows:
        head = (f"{EVENTS} events a body, one process", "Events/s", "Ratio", "Claimed, events/s")
        yield table(head, rows)


def _durable(results: Results) -> Iterator[str]:
    case, commits = (results.case("durable", name) for name in (DURABLE_LOAD, COMMITS))
    if case is None or commits is None:
        return
    rows = [
        (
            name,
            f"{case.spread(name).median:,.0f}",
            f"{case.ratio(name).median:.2f}",
            f"{commits.spread(name).median:.1f}" if name in commits.samples else "",
        )
        for name in case.samples
    ]
    head = (f"Delivery; {DURABLE_LOAD}", "Requests/s", f"× {case.reference}", "Payloads a commit")
    yield table(head, rows)


def _growth(results: Results) -> Iterator[str]:
    held = {case.name.removeprefix("held, "): case for case in results.sections.get("memory", [])}
    rows = []
    for case in results.sections.get("decode", []):
        seconds, size = case.spread(OURS).median, case.facts["bytes"]
        bytes_held = held[case.name].spread(OURS).median if case.name in held else None
        rows.append(
            (
                case.name,
                quantity(size, "B"),
                quantity(seconds, "s"),
                quantity(seconds / size, "s"),
                quantity(bytes_held, "B") if bytes_held else "",
                f"{bytes_held / size:.1f}" if bytes_held else "",
            )
        )
    if rows:
        head = ("A body of", "Length", "Time", "Time a byte", "Memory held", "Memory a byte")
        yield table(head, rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
