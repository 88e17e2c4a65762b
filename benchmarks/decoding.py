"""From bytes to a payload: every decoder with the same bodies."""

from collections.abc import Callable, Sequence
from functools import partial

from benchmarks import bodies
from benchmarks.decoders import decoders
from benchmarks.timing import Case, Effort, time_functions


def measure_decoding(effort: Effort) -> list[Case]:
    """The recorded bodies in a row, and bodies of mixed events."""
    measured = {
        **bodies.under_load(),
        bodies.in_words(1): (bodies.with_events(1),),
    }
    return [
        Case(
            name,
            "s",
            "orjson.loads",
            time_functions(
                {each: partial(decode_all, decode, mix) for each, decode in decoders().items()},
                effort,
            ),
        )
        for name, mix in measured.items()
    ]


def decode_all(decode: Callable[[bytes], object], mix: Sequence[bytes]) -> None:
    """Decode one body after the other."""
    for body in mix:
        decode(body)
