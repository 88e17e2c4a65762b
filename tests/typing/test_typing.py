"""mypy and pyright, both strict, on the files beside this one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

HERE = Path(__file__).parent
CHECKED = [HERE / f"{name}.py" for name in ("narrowing", "options", "stats", "mistakes")]
Lines = set[tuple[str, int]]


def _mypy() -> Lines:
    finished = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--output=json", *map(str, CHECKED)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode in {0, 1}, finished.stderr
    found = map(json.loads, finished.stdout.splitlines())
    return {(Path(error["file"]).name, error["line"]) for error in found}


def _pyright() -> Lines:
    program = Path(sys.executable).parent / "pyright"
    if not program.exists():
        pytest.skip("pyright is not installed")
    if shutil.which("node") is None:
        pytest.skip("pyright needs Node")
    finished = subprocess.run(
        [str(program), "--outputjson", "--pythonpath", sys.executable, *map(str, CHECKED)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )
    assert finished.returncode in {0, 1}, finished.stderr
    found = json.loads(finished.stdout)["generalDiagnostics"]
    return {(Path(error["file"]).name, error["range"]["start"]["line"] + 1) for error in found}


@pytest.mark.parametrize("check", [_mypy, _pyright], ids=["mypy", "pyright"])
def test_checkers_see_what_is_meant(check: object) -> None:
    """Narrowing, handlers and options pass; every marked mistake is found, and nothing else."""
    assert callable(check)
    marked = {
        (path.name, number)
        for path in CHECKED
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith("# WRONG")
    }
    assert len(marked) > 10
    assert check() == marked
