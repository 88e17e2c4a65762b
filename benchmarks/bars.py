"""What the project is held to, and whether a run has reached it."""

from dataclasses import dataclass
from typing import Literal

from benchmarks import growth
from benchmarks.corpus import ENCRYPTED
from benchmarks.decoders import LIMIT, OURS, PYDANTIC
from benchmarks.decoding import ACCEPTED
from benchmarks.durable import DURABLE_LOAD
from benchmarks.load import PROCESSOR_TIME
from benchmarks.memory import FLOODED, OPTION
from benchmarks.results import Results
from benchmarks.serving import (
    ASGI,
    BARE_PARSE,
    DJANGO,
    DJANGO_READ,
    DURABLE,
    FASTAPI,
    FASTAPI_MODEL,
    FLASK,
    FLASK_READ,
    INLINE,
)
from benchmarks.timing import Case


@dataclass(frozen=True)
class Bar:
    """A figure that a contestant must keep to.

    Attributes:
        what: the figure, in words.
        section, case, contestant: where it is found.
        reference: what it is divided by; without one, it counts by itself.
        sign: whether it may be at most, or must be at least, so much.
        bar: how much.
        then: what comes after that.
        unit: of what counts by itself: "ms" or "MiB".
    """

    what: str
    section: str
    case: str
    contestant: str
    reference: str | None
    sign: Literal["≤", "≥"]
    bar: float
    then: float | None = None
    unit: str = "×"

    def value(self, results: Results) -> float | None:
        """The figure in a run, if it was measured."""
        case = results.case(self.section, self.case)
        if case is None or self.contestant not in case.samples:
            return None
        if self.reference is None:
            return case.spread(self.contestant).median * _SCALES[self.unit]
        return case.ratio(self.contestant, self.reference).median

    def by_processor_time(self, results: Results) -> float | None:
        """The same of servers by the work that a request is for them, whatever else runs."""
        case = results.case(self.section, f"{self.case}, {PROCESSOR_TIME}")
        if case is None or self.reference is None:
            return None
        return case.ratio(self.reference, self.contestant).median

    def is_met(self, value: float, bar: float) -> bool:
        """Whether a figure keeps to a bar."""
        return value <= bar if self.sign == "≤" else value >= bar


_SCALES = {"×": 1, "ms": 1e3}

_ASGI, _FLASK, _DJANGO = (f"{group}, 100 events" for group in ("ASGI", "Flask", "Django"))

LINEAR = 3
"""How much more each byte may cost where there are a hundred times as many.

Not 1: large results leave the processor's caches, and orjson.loads takes about twice as long for
each byte too. If cost grew as the square, it would be 100.
"""

SMALL_MULTIPLE = 16
"""What a refused body may cost, of an accepted one of its length, whatever it holds.

An accepted one goes from bytes to structs in C. Where a body is refused, Python looks at its parts
and says what is wrong with them.
"""

FEW_MILLISECONDS = 5
"""What no body that is decoded on the event loop may take: those of at most 64 KiB are."""

BARS = [
    Bar(
        "bytes to payload, 100 events, of orjson.loads",
        *("decode", "100 events", OURS, LIMIT, "≤", 1.6, 1.25),
    ),
    Bar(
        "pydantic's time for the same, of ours",
        *("decode", "100 events", PYDANTIC, OURS, "≥", 2),
    ),
    Bar(
        "unisights_asgi, of bare ASGI + orjson.loads",
        *("load", _ASGI, ASGI.name, BARE_PARSE.name, "≥", 0.8, 0.9),
    ),
    Bar(
        "unisights_fastapi, of bare ASGI + orjson.loads",
        *("load", _ASGI, FASTAPI.name, BARE_PARSE.name, "≥", 0.6, 0.75),
    ),
    Bar(
        "unisights_fastapi, of FastAPI's pydantic parameter",
        *("load", _ASGI, FASTAPI.name, FASTAPI_MODEL.name, "≥", 2.4),
    ),
    Bar(
        "unisights_flask, of Flask reading the body",
        *("load", _FLASK, FLASK.name, FLASK_READ.name, "≥", 0.75, 0.85),
    ),
    Bar(
        "unisights_django, of Django reading the body",
        *("load", _DJANGO, DJANGO.name, DJANGO_READ.name, "≥", 0.75, 0.85),
    ),
    Bar(
        "durable delivery, of inline",
        *("durable", DURABLE_LOAD, DURABLE.name, INLINE.name, "≥", 0.4),
    ),
    Bar("decrypt 64 KiB", "decrypt", "64 KiB", "decrypt", None, "≤", 3, unit="ms"),
    Bar("decrypt 1 MiB", "decrypt", "1,024 KiB", "decrypt", None, "≤", 60, unit="ms"),
    Bar(
        "time for each byte of 10,000 events, of 100 events",
        *("grow", growth.TIME, growth.LARGEST, growth.TYPICAL, "≤", LINEAR),
    ),
    Bar(
        "memory for each byte of 10,000 events, of 100 events",
        *("grow", growth.HELD, growth.LARGEST, growth.TYPICAL, "≤", LINEAR),
    ),
    Bar("import unisights", "import", "import", "unisights", None, "≤", 80, 40, "ms"),
    Bar(
        "import of what an app uses of it",
        *("import", "import", "unisights, what an app uses", None, "≤", 80, 40, "ms"),
    ),
]


def worst_bars(results: Results) -> list[Bar]:
    """Bars for what is the worst of many."""
    bars = []
    for case in results.sections.get("refuse", []):
        worst = max(case.samples, key=lambda name: case.ratio(name, _accepted_like(name)).median)
        reference = _accepted_like(worst)
        what = f"the hostile body that costs most, {case.name}: {worst}, of {reference}"
        bars.append(Bar(what, "refuse", case.name, worst, reference, "≤", SMALL_MULTIPLE))
        if case.name == "64 KiB":
            longest = max(case.samples, key=lambda name: case.spread(name).median)
            bar = Bar(
                f"the hostile body that takes longest, {case.name}: {longest}",
                *("refuse", case.name, longest, None, "≤", FEW_MILLISECONDS),
                unit="ms",
            )
            bars.append(bar)
    if (case := results.case("memory", FLOODED)) is not None:
        worst = _worst(case)
        what = f"memory that 300 MiB in chunks take, {worst}, of max_payload_size"
        bars.append(Bar(what, "memory", FLOODED, worst, OPTION, "≤", 3))
    return bars


def _accepted_like(name: str) -> str:
    """The accepted body that a hostile one is held against: encrypted ones have to be decrypted."""
    return ENCRYPTED if name.startswith("encrypted") else ACCEPTED


def _worst(case: Case) -> str:
    return max(case.samples, key=lambda name: case.ratio(name).median)
