"""Timing side by side: rounds in which everyone runs once, in turn.

Functions are timed by the processor's clock: nothing here waits, and what else the machine does
meanwhile must not count.
"""

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Samples = dict[str, list[float]]
"""By contestant: what was measured, one value for each round."""


@dataclass(frozen=True)
class Effort:
    """How much is spent on a measurement.

    Attributes:
        rounds: how often each contestant runs.
        batch: how long one run of a function that is called again and again takes, in seconds.
    """

    rounds: int
    batch: float


@dataclass(frozen=True)
class Spread:
    """The middle of some values, and the quartiles on both sides of it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Case:
    """What some contestants did with one thing.

    Attributes:
        name: the thing.
        unit: what the samples count: "s", "requests/s" …
        reference: the contestant that the others are compared with.
        samples: what was measured.
        facts: what else is known of the thing, such as its length.
    """

    name: str
    unit: str
    reference: str
    samples: Samples
    facts: dict[str, Any] = field(default_factory=dict)

    def spread(self, contestant: str) -> Spread:
        """A contestant's own figure."""
        return spread(self.samples[contestant])

    def ratio(self, contestant: str, reference: str | None = None) -> Spread:
        """A contestant's figure as a multiple of the reference's.

        The ratio is taken within each round: what slows the machine down for a while slows both.
        """
        pairs = zip(
            self.samples[contestant], self.samples[reference or self.reference], strict=True
        )
        return spread([own / other for own, other in pairs])


def spread(values: Sequence[float]) -> Spread:
    """The median and the quartiles."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def interleave(runs: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Let each contestant run once in every round, each time another one first."""
    names = list(runs)
    samples: Samples = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            samples[name].append(runs[name]())
    return samples


def time_functions(functions: Mapping[str, Callable[[], object]], effort: Effort) -> Samples:
    """How long a call of each function takes, in seconds.

    The garbage collector is on, as in a server.
    """
    gc.collect()
    runs = {name: _batch_of(function, effort.batch) for name, function in functions.items()}
    return interleave(runs, effort.rounds)


def time_batch(function: Callable[[], object], count: int) -> float:
    """How long one of so many calls takes, in seconds."""
    begin = time.process_time()
    for _ in itertools.repeat(None, count):
        function()
    return (time.process_time() - begin) / count


def batch_size(function: Callable[[], object], seconds: float) -> int:
    """How many calls take about so long; it also warms the function up."""
    count = 1
    while True:
        taken = time_batch(function, count) * count
        if taken >= seconds / 4:
            return max(1, round(count * seconds / taken))
        count *= 4


def _batch_of(function: Callable[[], object], seconds: float) -> Callable[[], float]:
    count = batch_size(function, seconds)
    return lambda: time_batch(function, count)
