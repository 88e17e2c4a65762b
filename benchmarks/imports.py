"""What `import unisights` takes, in processes of their own."""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.timing import Case, interleave
from tests.test_imports import FRAMEWORKS

_TIMED = "import time; begin = time.process_time(); {}; print(time.process_time() - begin)"

STATEMENTS = {
    "unisights": "import unisights",
    "unisights, what an app uses": (
        "from unisights import UnisightsOptions; from unisights.collector import Collector"
    ),
    "msgspec": "import msgspec",
    "json": "import json",
    "pydantic": "import pydantic; pydantic.create_model('M')",
    "unisights.fastapi": "import unisights.fastapi",
    "fastapi": "import fastapi",
}


def measure_imports(rounds: int) -> list[Case]:
    """The import alone, without the interpreter's own start, beside others."""
    alone = {name: partial(time_import, statement) for name, statement in STATEMENTS.items()}
    for run in alone.values():
        run()  # compiles what was not
    return [Case("import", "s", "msgspec", interleave(alone, rounds))]


def time_import(statement: str, package: Path | None = None) -> float:
    """How long an import takes in a fresh interpreter, in seconds.

    Args:
        statement: the import.
        package: a directory to import from before all others.
    """
    return float(run_python(_TIMED.format(statement), package))


def loaded_frameworks() -> list[str]:
    """The frameworks that `import unisights` loads: none, or it is a defect."""
    names = ", ".join(map(repr, FRAMEWORKS))
    code = f"import sys, unisights; print(*{{{names}}} & sys.modules.keys())"
    return run_python(code).split()


def run_python(code: str, package: Path | None = None) -> str:
    """Run a statement in a fresh interpreter, in an empty directory; return what it prints."""
    with tempfile.TemporaryDirectory() as empty:
        finished = subprocess.run(
            [sys.executable, "-c", code],
            cwd=package or empty,
            capture_output=True,
            text=True,
            check=True,
        )
    return finished.stdout
