"""Two revisions of the package, measured in turn, by the same interpreter and dependencies."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

from benchmarks import load
from benchmarks.imports import time_import
from benchmarks.load import LoadEffort
from benchmarks.serving import ADAPTERS, SERVER_CORE, pinned, serving
from benchmarks.timing import Case, Effort, interleave
from tests.support import ROOT

OLD, NEW = "old", "new"


def compare(base: str, effort: Effort, imports: int, load_effort: LoadEffort | None) -> list[Case]:
    """The working tree beside a revision: decoding, refusing, importing, and under load."""
    with package_at(base) as old:
        trees = {OLD: old, NEW: ROOT}
        cases = _compare_functions(trees, effort)
        times = {
            name: partial(time_import, "import unisights", tree) for name, tree in trees.items()
        }
        for run in times.values():
            run()  # compiles what was not
        cases.append(Case("import unisights", "s", OLD, interleave(times, imports)))
        if load_effort is not None:
            cases += _compare_servers(trees, load_effort)
    return cases


@contextlib.contextmanager
def package_at(revision: str) -> Iterator[Path]:
    """A directory that holds the package, and nothing else, as it was at a revision."""
    with tempfile.TemporaryDirectory() as directory:
        archive = subprocess.run(
            ["git", "archive", revision, "unisights"], cwd=ROOT, capture_output=True, check=False
        )
        if archive.returncode:
            raise SystemExit(f"git knows no package at {revision}: {archive.stderr.decode()}")
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(directory, filter="data")
        yield Path(directory)


def _compare_functions(trees: dict[str, Path], effort: Effort) -> list[Case]:
    with contextlib.ExitStack() as stack:
        probes = {name: stack.enter_context(Probe(tree)) for name, tree in trees.items()}
        cases = []
        for case in probes[NEW].cases:
            # Both make as many calls, so that both have the same share of the clock's error.
            count = probes[OLD].ask(case=case, seconds=effort.batch)
            probes[NEW].ask(case=case, seconds=effort.batch)
            runs: dict[str, Callable[[], float]] = {
                name: partial(probe.ask, case=case, count=count) for name, probe in probes.items()
            }
            cases.append(Case(case, "s", OLD, interleave(runs, effort.rounds)))
    return cases


def _compare_servers(trees: dict[str, Path], effort: LoadEffort) -> list[Case]:
    cases = []
    for name, body in load.bodies().items():
        for app in ADAPTERS:
            with contextlib.ExitStack() as stack:
                servers = {
                    revision: stack.enter_context(serving(app, body, package=tree))
                    for revision, tree in trees.items()
                }
                cases += load.measure_servers(f"{app.name}, {name}", servers, body, effort)
    return cases


class Probe:
    """A process that times one tree's package."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [*pinned(SERVER_CORE), sys.executable, "-m", "benchmarks.probe"],
            # The working directory comes before everything else that modules come from.
            cwd=self._tree,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = self._read()
        if Path(told["package"]).parent.parent != self._tree:
            raise RuntimeError(f"the package was to come from {self._tree}: {told['package']}")
        self.cases: list[str] = told["cases"]
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def ask(self, **told: Any) -> Any:
        """Let it time something."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(told) + "\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("a revision could not be timed: see above")
        return json.loads(line)
