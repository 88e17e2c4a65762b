"""The ratios and times that the project is held to, and whether a run keeps to them."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.bodies import TYPICAL
from benchmarks.hostile import ENCRYPTED
from benchmarks.refusing import ACCEPTED
from benchmarks.results import Results


@dataclass(frozen=True)
class Bar:
    """A limit for what was measured of a contestant.

    Attributes:
        section, case, contestant: where it is in the results. "{}" in the case stands for the mix
            of bodies; the limit is for 100 events.
        reference: what it is divided by; None for a time, in milliseconds.
        sign: whether the limit is an upper or a lower one.
        limit: how much is allowed.
        goal: what is to be reached next.
    """

    section: str
    case: str
    contestant: str
    reference: str | None
    sign: Literal["≤", "≥"]
    limit: float
    goal: float | None = None

    @property
    def what(self) -> str:
        """The case, and what is divided by what."""
        divided = f" ÷ {self.reference}" if self.reference else ""
        return f"{self.section}, {self.case.format(TYPICAL)}: {self.contestant}{divided}"

    @property
    def unit(self) -> str:
        """What the limit counts."""
        return "×" if self.reference else "ms"

    def value(self, results: Results, mix: str = TYPICAL) -> float | None:
        """What was measured with a mix of bodies; None if it was not."""
        case = results.case(self.section, self.case.format(mix))
        if case is None or self.contestant not in case.samples:
            return None
        if self.reference is None:
            return case.median(self.contestant) * 1000
        return case.ratio(self.contestant, self.reference)

    def result(self, value: float) -> str:
        """Whether a value keeps to the limit, and reaches the goal."""
        if not self._keeps_to(value, self.limit):
            return "NOT MET"
        if self.goal is not None and self._keeps_to(value, self.goal):
            return "met, and the goal"
        return "met"

    def _keeps_to(self, value: float, limit: float) -> bool:
        return value <= limit if self.sign == "≤" else value >= limit


_PARSE = "bare ASGI + orjson.loads"
_LARGE, _SMALL = "10,000 events", "100 events"

# What each byte may cost where there are a hundred times as many. Not 1: large results leave the
# processor's caches, and orjson.loads takes about twice as long for each byte, too. If cost grew as
# the square, it would be 100.
_LINEAR = 3

# What a hostile body may cost, of an accepted one of its length. An accepted one goes from bytes to
# structs in C; where a body is refused, Python looks at its parts and says what is wrong with them.
_SMALL_MULTIPLE = 16

# What no body that is decoded on the event loop may take: those of at most 64 KiB are.
_FEW_MILLISECONDS = 5

BARS = (
    Bar("decode", "{}", "unisights", "orjson.loads", "≤", 0.9),
    Bar("decode", "{}", "pydantic", "unisights", "≥", 2),
    Bar("load", "ASGI, {}", "unisights_asgi", _PARSE, "≥", 0.8, 0.9),
    Bar("load", "ASGI, {}", "unisights_fastapi", _PARSE, "≥", 0.6, 0.75),
    Bar("load", "ASGI, {}", "unisights_fastapi", "FastAPI, pydantic parameter", "≥", 2.4),
    Bar("load", "Flask, {}", "unisights_flask, inline", "Flask, body read", "≥", 0.75, 0.85),
    Bar("load", "Django, {}", "unisights_django", "Django, body read", "≥", 0.75, 0.85),
    Bar("durable", "async handler, 1 event of 2 kB", "durable, process", "inline", "≥", 0.4),
    Bar("decrypt", "64 KiB", "decrypt", None, "≤", 3),
    Bar("decrypt", "1,024 KiB", "decrypt", None, "≤", 60),
    Bar("grow", "time for each byte", _LARGE, _SMALL, "≤", _LINEAR),
    Bar("grow", "memory held for each byte", _LARGE, _SMALL, "≤", _LINEAR),
    Bar("import", "fresh process", "unisights", None, "≤", 40),
    Bar("import", "fresh process", "unisights, what an app uses", None, "≤", 80, 40),
)


def worst_bars(results: Results) -> list[Bar]:
    """The bars for the worst of many contestants in a run."""
    bars = []
    for case in results.sections.get("refuse", []):
        multiples = {name: case.ratio(name, _accepted_like(name)) for name in case.samples}
        worst = max(multiples, key=multiples.__getitem__)
        reference = _accepted_like(worst)
        bars.append(Bar("refuse", case.name, worst, reference, "≤", _SMALL_MULTIPLE))
        if case.name == "64 KiB":
            slowest = max(case.samples, key=case.median)
            bars.append(Bar("refuse", case.name, slowest, None, "≤", _FEW_MILLISECONDS))
    for case in results.sections.get("memory", []):
        if case.name == "300 MiB in chunks":
            worst = max(case.samples, key=case.ratio)
            bars.append(Bar("memory", case.name, worst, case.reference, "≤", 3))
    return bars


def _accepted_like(name: str) -> str:
    """The accepted body that a hostile one is compared with: encrypted ones must be decrypted."""
    return ENCRYPTED if name.startswith("encrypted") else ACCEPTED
