"""What a run is made of, and how much is spent on it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import bodies, decoding, decrypting, flooding, growth, importing, load, refusing
from benchmarks.contestants import ADAPTERS, App
from benchmarks.results import Results
from benchmarks.timing import Case, Effort


@dataclass(frozen=True)
class Efforts:
    """How much is spent on each part.

    Attributes:
        few: on each contestant where there are few cases.
        many: where there are many.
        imports: how many processes import each package.
        load: on each app under load; whole seconds.
        events: the numbers of events in bodies, to see how cost grows.
        hostile: the lengths of hostile bodies.
        flooded: the apps that a body which never ends is sent to.
    """

    few: Effort
    many: Effort
    imports: int
    load: Effort
    events: Sequence[int] = bodies.SIZES
    hostile: Sequence[int] = refusing.SIZES
    flooded: Sequence[App] = ADAPTERS


QUICK = Efforts(Effort(7, 0.008), Effort(3, 0.002), 5, Effort(2, 1))
FULL = Efforts(Effort(31, 0.03), Effort(15, 0.02), 21, Effort(7, 2))

PARTS: dict[str, Callable[[Efforts], list[Case]]] = {
    "decode": lambda efforts: decoding.measure_decoding(efforts.few),
    "load": lambda efforts: load.measure_load(efforts.load),
    "durable": lambda efforts: load.measure_durable(efforts.load),
    "refuse": lambda efforts: refusing.measure_refusing(efforts.many, efforts.hostile),
    "decrypt": lambda efforts: decrypting.measure_decrypting(efforts.few),
    "grow": lambda efforts: growth.measure_growth(efforts.few, efforts.events),
    "memory": lambda efforts: flooding.measure_flooding(efforts.flooded),
    "import": lambda efforts: importing.measure_importing(efforts.imports),
}


def measure(parts: Sequence[str], efforts: Efforts) -> Results:
    """Run some parts."""
    results = Results()
    under_load = {"load", "durable"} & set(parts)
    if under_load and not load.is_available():
        results.notes.append(load.MISSING)
        parts = [part for part in parts if part not in under_load]
    for part in parts:
        print(f"{part} …", file=sys.stderr, flush=True)
        results.sections[part] = PARTS[part](efforts)
    return results
