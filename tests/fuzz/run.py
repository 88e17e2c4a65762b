"""Many cases before all judges: what they disagree on, and counts."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from tests.fuzz.ajv import Ajv
from tests.fuzz.corpus import BLOCK, cases
from tests.fuzz.judges import disagreements, disagreements_of_ajv
from tests.fuzz.minimise import as_vector, minimise

CHUNK = 100
"""So many bodies go to Node at once: it validates while Python does."""

MAX_VECTORS = 5
"""So many disagreements of a block are minimised and shown; one defect makes many."""


@dataclass
class Outcome:
    """What came of cases.

    Attributes:
        counts: how many there were, by kind and result.
        disagreements: how many the judges disagreed on.
        vectors: some of those, as vectors.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    disagreements: int = 0
    vectors: list[str] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        """Take another's in."""
        self.counts += other.counts
        self.disagreements += other.disagreements
        self.vectors += other.vectors


def run(seed: str, number: int, package: Path | None) -> Iterator[Outcome]:
    """Try that many cases, a block at a time, on all cores; without ajv if there is none."""
    blocks = [
        (f"{seed}/{start // BLOCK}", min(BLOCK, number - start))
        for start in range(0, number, BLOCK)
    ]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        running = [pool.submit(run_block, block, size, package) for block, size in blocks]
        for finished in as_completed(running):
            yield finished.result()


def run_block(block: str, number: int, package: Path | None) -> Outcome:
    """Try the cases of a block."""
    outcome = Outcome()
    with ExitStack() as stack:
        ajv = stack.enter_context(Ajv(package)) if package else None
        made = cases(block, number)
        while chunk := list(islice(made, CHUNK)):
            bodies = [body for _, body in chunk]
            if ajv:
                ajv.ask(bodies)
            opinions = [disagreements(body) for body in bodies]
            answers = ajv.answers() if ajv else None
            for index, (kind, body) in enumerate(chunk):
                complaints, result = opinions[index]
                outcome.counts[kind, result] += 1
                if answers is not None:
                    complaints = complaints + disagreements_of_ajv(body, answers[index])
                if complaints:
                    outcome.disagreements += 1
                    if len(outcome.vectors) < MAX_VECTORS:
                        outcome.vectors.append(_shown(body, ajv))
    return outcome


def _complaints(body: bytes, ajv: Ajv | None) -> list[str]:
    complaints, _ = disagreements(body)
    if ajv:
        ajv.ask([body])
        complaints += disagreements_of_ajv(body, ajv.answers()[0])
    return complaints


def _shown(body: bytes, ajv: Ajv | None) -> str:
    complaints_of = partial(_complaints, ajv=ajv)
    smallest = minimise(body, lambda candidate: bool(complaints_of(candidate)))
    return as_vector(smallest, complaints_of(smallest))
