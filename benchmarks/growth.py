"""Whether cost grows no faster than the body: time and memory for each byte, by its length."""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks import bodies
from benchmarks.timing import Case, Effort, time_functions
from unisights import decode_unisights_payload


def measure_growth(effort: Effort, sizes: Sequence[int] = bodies.SIZES) -> list[Case]:
    """What decoding takes, and what its result holds, for bodies of more and more events."""
    measured = {bodies.in_words(events): bodies.with_events(events) for events in sizes}
    functions = {name: partial(decode_unisights_payload, body) for name, body in measured.items()}
    times = time_functions(functions, effort)
    held = {name: [float(_held_by(function))] for name, function in functions.items()}
    return [
        Case(
            what,
            unit,
            bodies.TYPICAL,
            {
                name: [value / len(body) for value in samples[name]]
                for name, body in measured.items()
            },
        )
        for what, unit, samples in (
            ("time for each byte", "s", times),
            ("memory held for each byte", "B", held),
        )
    ]


def _held_by(make: Callable[[], object]) -> int:
    """The memory of what a function returns, in bytes."""
    make()  # what is kept for the next call is not the result's
    gc.collect()
    tracemalloc.start()
    try:
        made = make()
        held, _ = tracemalloc.get_traced_memory()
        del made
    finally:
        tracemalloc.stop()
    return held
