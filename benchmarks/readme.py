"""What the README shows of a run: written between two marks, never typed."""

import re

from benchmarks.markdown import as_markdown
from benchmarks.plot import as_svg
from benchmarks.results import DIRECTORY, FULL, Results, read
from tests.support import ROOT

README = ROOT / "README.md"
PLOT = DIRECTORY / "full.svg"

_BEGIN = "<!-- Written by `python -m benchmarks --write-readme`: do not edit. -->\n"
_END = "<!-- So far. -->\n"
_BETWEEN = re.compile(f"(?<={re.escape(_BEGIN)}).*?(?={re.escape(_END)})", re.DOTALL)


def write() -> None:
    """Bring the README and the plot up to what `make bench-full` has kept."""
    results = read(FULL)
    PLOT.write_text(as_svg(results), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    shown(text)  # there is a place for it
    README.write_text(_BETWEEN.sub(lambda _: rendered(results), text), encoding="utf-8")


def rendered(results: Results) -> str:
    """What stands between the marks."""
    alternative = "Bytes to payload, and requests per second, beside peers"
    picture = f"![{alternative}]({PLOT.relative_to(ROOT)})"
    return f"\n{picture}\n\n{as_markdown(results)}\n\n"


def shown(text: str) -> str:
    """What stands between the marks in a text."""
    (found,) = _BETWEEN.findall(text)
    return str(found)
