"""What a run is made of, and how much is spent on it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import corpus, decoding, durable, growth, imports, load, machine, memory
from benchmarks.load import LoadEffort
from benchmarks.results import Results
from benchmarks.serving import ADAPTERS, App
from benchmarks.timing import Case, Effort

KIB = 1024


@dataclass(frozen=True)
class Efforts:
    """How much is spent on each part.

    Attributes:
        few: on each contestant where there are few cases.
        many: where there are many.
        imports: how many processes import each package.
        load: on each app under load.
        events: the numbers of events in bodies.
        hostile: the lengths of hostile bodies.
        flooded: the apps that a body which never ends is sent to.
    """

    few: Effort
    many: Effort
    imports: int
    load: LoadEffort
    events: Sequence[int] = corpus.SIZES
    hostile: Sequence[int] = (64 * KIB, 1024 * KIB)
    flooded: Sequence[App] = ADAPTERS


QUICK = Efforts(Effort(7, 0.008), Effort(3, 0.002), 5, LoadEffort(2, 1))
FULL = Efforts(Effort(31, 0.03), Effort(15, 0.02), 21, LoadEffort(7, 2))

PARTS: dict[str, Callable[[Efforts], list[Case]]] = {
    "decode": lambda efforts: decoding.measure_decoding(efforts.few, efforts.events),
    "recordings": lambda efforts: decoding.measure_captures(efforts.many),
    "refuse": lambda efforts: decoding.measure_refusals(efforts.many, efforts.hostile),
    "encode": lambda efforts: decoding.measure_encoding(efforts.few),
    "decrypt": lambda efforts: decoding.measure_decryption(efforts.few),
    "memory": lambda efforts: [
        *memory.measure_payloads(efforts.events),
        *memory.measure_peaks(efforts.hostile[0]),
        *memory.measure_floods(efforts.flooded),
    ],
    "import": lambda efforts: imports.measure_imports(efforts.imports),
    "load": lambda efforts: [
        case
        for name, body in load.bodies().items()
        for case in load.measure_load(name, body, efforts.load)
    ],
    "durable": lambda efforts: durable.measure_durable(efforts.load),
}


def measure(parts: Sequence[str], efforts: Efforts) -> Results:
    """Run some parts."""
    found = Results(machine.describe())
    for part in parts:
        if part in {"load", "durable"} and not load.is_available():
            if load.MISSING not in found.notes:
                found.notes.append(load.MISSING)
            continue
        print(f"{part} …", file=sys.stderr, flush=True)
        found.sections[part] = PARTS[part](efforts)
    if frameworks := imports.loaded_frameworks():
        found.notes.append(f"`import unisights` LOADS {', '.join(frameworks)}.")
    if grown := growth.growth(found):
        found.sections["grow"] = grown
    return found
