"""A run as a picture: bars in SVG, in colours that can be read on light and on dark."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.decoders import LIMIT, OURS
from benchmarks.markdown import EVENTS, throughput
from benchmarks.report import number, quantity
from benchmarks.results import Results

_OURS, _OTHERS, _TEXT = "#d9730d", "#7d8590", "#7d8590"

_GAP = "#ffffff"

_SHOWN = 10
"""Bars that are so many times as long as ours are cut."""

_WIDTH, _LABELS, _VALUES = 760, 230, 150
_ROW, _BAR, _HEADING = 22, 14, 40


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: whose it is.
        value: its length.
        text: what stands behind it.
        is_ours: whether it is to stand out.
    """

    label: str
    value: float
    text: str
    is_ours: bool


def as_svg(results: Results) -> str:
    """The picture that the README shows."""
    charts = [*_decoders(results), *_servers(results)]
    lines: list[str] = []
    y = 0
    for title, bars in charts:
        y += _HEADING
        lines.append(f'<text x="0" y="{y - 12}" font-weight="bold">{escape(title)}</text>')
        longest = _longest_shown(bars)
        for bar in bars:
            lines += _drawn(bar, y, longest)
            y += _ROW
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 10}" '
        f'viewBox="0 0 {_WIDTH} {y + 10}" font-family="sans-serif" font-size="13" '
        f'fill="{_TEXT}">\n{body}\n</svg>\n'
    )


def _drawn(bar: Bar, y: int, longest: float) -> Iterator[str]:
    width = max(1, round((_WIDTH - _LABELS - _VALUES) * min(1, bar.value / longest)))
    colour = _OURS if bar.is_ours else _OTHERS
    baseline = y + _BAR - 2
    yield f'<text x="{_LABELS - 8}" y="{baseline}" text-anchor="end">{escape(bar.label)}</text>'
    yield f'<rect x="{_LABELS}" y="{y}" width="{width}" height="{_BAR}" fill="{colour}"/>'
    if bar.value > longest:  # It goes on: a gap says so.
        yield (
            f'<path d="M{_LABELS + width - 30} {y + _BAR + 2} l8 {-_BAR - 4}" stroke="{_GAP}" '
            'stroke-width="4"/>'
        )
    yield f'<text x="{_LABELS + width + 6}" y="{baseline}">{escape(bar.text)}</text>'


def _longest_shown(bars: Sequence[Bar]) -> float:
    """The longest bar, but for those that would leave nothing to be seen of ours."""
    ours = max(bar.value for bar in bars if bar.is_ours)
    return max(bar.value for bar in bars if bar.value <= _SHOWN * ours)


def _decoders(results: Results) -> Iterator[tuple[str, list[Bar]]]:
    case = results.case("decode", f"{EVENTS} events")
    if case is None:
        return
    bars = [
        Bar(
            name,
            case.ratio(name).median,
            f"{case.ratio(name).median:.2f} ({quantity(case.spread(name).median, 's')})",
            name == OURS,
        )
        for name in sorted(case.samples, key=lambda name: case.ratio(name).median)
    ]
    yield f"{EVENTS} events from bytes, × {LIMIT}: less is better", bars


def _servers(results: Results) -> Iterator[tuple[str, list[Bar]]]:
    bars = [
        Bar(
            name,
            rate,
            f"{number(rate)} ({case.ratio(name).median:.2f})",
            name.startswith("unisights"),
        )
        for name, (case, _) in throughput(results).items()
        for rate in [case.spread(name).median]
    ]
    if bars:
        title = (
            f"Requests/s of {EVENTS} events, one process (beside the group's first): more is better"
        )
        yield title, bars
