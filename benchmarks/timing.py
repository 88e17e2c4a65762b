"""Timing side by side: rounds in which every contestant runs once, in turn.

Functions are timed by the processor's clock: nothing here waits, and other programs on the machine
must not count.
"""

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

Samples = dict[str, list[float]]
"""By contestant: what was measured, one value for each round."""

Loop = Callable[[int], object]
"""Does the thing that is timed so many times."""


@dataclass(frozen=True)
class Effort:
    """How much is spent on a measurement.

    Attributes:
        rounds: how often each contestant runs.
        seconds: how long one run takes.
    """

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Case:
    """What some contestants did with one thing.

    Attributes:
        name: the thing.
        unit: what the samples count: "s", "B", "requests/s".
        reference: the contestant that the others are compared with.
        samples: what was measured.
    """

    name: str
    unit: str
    reference: str
    samples: Samples

    def median(self, contestant: str) -> float:
        """A contestant's own figure."""
        return statistics.median(self.samples[contestant])

    def ratio(self, contestant: str, reference: str | None = None) -> float:
        """A contestant's figure as a multiple of the reference's: the median of the rounds' ratios.

        The ratio is taken within each round: what slows the machine down for a while slows both.
        """
        return statistics.median(self._ratios(contestant, reference))

    def quartiles(self, contestant: str) -> tuple[float, float]:
        """The quartiles of the ratios to the reference."""
        ratios = self._ratios(contestant)
        if len(ratios) == 1:
            return ratios[0], ratios[0]
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return low, high

    def _ratios(self, contestant: str, reference: str | None = None) -> Sequence[float]:
        others = self.samples[reference or self.reference]
        return [own / other for own, other in zip(self.samples[contestant], others, strict=True)]


def interleave(runs: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Let each contestant run once in every round, each time another one first."""
    names = list(runs)
    results: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            results[name].append(runs[name]())
    return results


def time_functions(functions: Mapping[str, Callable[[], object]], effort: Effort) -> Samples:
    """How long a call of each function takes, in seconds."""
    return time_loops({name: repeat(function) for name, function in functions.items()}, effort)


def time_loops(loops: Mapping[str, Loop], effort: Effort) -> Samples:
    """How long one of the things that each loop does takes, in seconds.

    The garbage collector is on, as in a server.
    """
    gc.collect()
    runs = {name: _timed(loop, effort.seconds) for name, loop in loops.items()}
    return interleave(runs, effort.rounds)


def repeat(function: Callable[[], object]) -> Loop:
    """Call a function so many times."""

    def loop(count: int) -> None:
        for _ in itertools.repeat(None, count):
            function()

    return loop


def _timed(loop: Loop, seconds: float) -> Callable[[], float]:
    count = _count_within(loop, seconds)
    return lambda: _time_once(loop, count)


def _count_within(loop: Loop, seconds: float) -> int:
    """How many times take about so long; this also warms the loop up."""
    count = 1
    while True:
        taken = _time_once(loop, count) * count
        if taken >= seconds / 4:
            return max(1, round(count * seconds / taken))
        count *= 4


def _time_once(loop: Loop, count: int) -> float:
    begin = time.process_time()
    loop(count)
    return (time.process_time() - begin) / count
