"""Two revisions of the package, measured in turn, by the same interpreter and dependencies."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks import ROOT, bodies, load
from benchmarks.contestants import ADAPTERS
from benchmarks.importing import time_import
from benchmarks.serving import SERVER_CORE, pinned, serving
from benchmarks.timing import Case, Effort, interleave

OLD, NEW = "old", "new"


def compare(base: str, effort: Effort, imports: int, load_effort: Effort) -> list[Case]:
    """The working tree beside a revision: decoding, refusing, importing, and under load."""
    with package_at(base) as old:
        trees = {OLD: old, NEW: ROOT}
        cases = compare_functions(trees, effort) + _compare_imports(trees, imports)
        if load.is_available():
            cases += _compare_servers(trees, load_effort)
    return cases


@contextlib.contextmanager
def package_at(revision: str) -> Iterator[Path]:
    """A directory that holds the package as it was at a revision, and nothing else."""
    with tempfile.TemporaryDirectory() as directory:
        archive = subprocess.run(
            ["git", "archive", revision, "unisights"], cwd=ROOT, capture_output=True, check=False
        )
        if archive.returncode:
            raise SystemExit(f"git knows no package at {revision}: {archive.stderr.decode()}")
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(directory, filter="data")
        yield Path(directory)


def compare_functions(trees: Mapping[str, Path], effort: Effort) -> list[Case]:
    """What needs no server, in a process of its own for each tree and round."""
    runs = {name: partial(probe, tree, effort.seconds) for name, tree in trees.items()}
    times = interleave(runs, effort.rounds)
    return [
        Case(name, "s", OLD, {tree: [run[name] for run in ran] for tree, ran in times.items()})
        for name in times[NEW][0]
    ]


def probe(tree: Path, seconds: float) -> dict[str, float]:
    """Let a process time one tree's package; by case: how long it takes, in seconds."""
    finished = subprocess.run(
        [*pinned(SERVER_CORE), sys.executable, "-m", "benchmarks.probe", str(seconds)],
        # The working directory comes before everything else that modules come from.
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    printed = json.loads(finished.stdout)
    if Path(printed["package"]).parent.parent != tree:
        raise RuntimeError(f"the package was not imported from {tree}: {printed['package']}")
    times: dict[str, float] = printed["times"]
    return times


def _compare_imports(trees: Mapping[str, Path], rounds: int) -> list[Case]:
    runs = {name: partial(time_import, "import unisights", tree) for name, tree in trees.items()}
    for run in runs.values():
        run()  # compiles what was not
    return [Case("import unisights", "s", OLD, interleave(runs, rounds))]


def _compare_servers(trees: Mapping[str, Path], effort: Effort) -> list[Case]:
    cases = []
    for app in ADAPTERS:
        with contextlib.ExitStack() as stack:
            servers = {
                revision: stack.enter_context(serving(app, package=tree))
                for revision, tree in trees.items()
            }
            cases += load.measure_servers(app.name, servers, bodies.under_load(), effort)
    return cases
