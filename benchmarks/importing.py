"""What `import unisights` takes, in processes of their own."""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.timing import Case, interleave

STATEMENTS = {
    "unisights": "import unisights",
    "unisights, what an app uses": "import unisights.collector; unisights.UnisightsOptions",
    "msgspec": "import msgspec",
    "pydantic": "import pydantic; pydantic.create_model('M')",
    "unisights.fastapi": "import unisights.fastapi",
    "fastapi": "import fastapi",
}

_TIMED = "import time; begin = time.process_time(); {}; print(time.process_time() - begin)"


def measure_importing(rounds: int) -> list[Case]:
    """The import alone, without the interpreter's own start, beside others."""
    runs = {name: partial(time_import, statement) for name, statement in STATEMENTS.items()}
    for run in runs.values():
        run()  # compiles what was not
    return [Case("fresh process", "s", "msgspec", interleave(runs, rounds))]


def time_import(statement: str, package: Path | None = None) -> float:
    """How long an import takes in a fresh interpreter, in seconds.

    Args:
        statement: the import.
        package: a directory to import from before all others.
    """
    with tempfile.TemporaryDirectory() as empty:
        finished = subprocess.run(
            [sys.executable, "-c", _TIMED.format(statement)],
            cwd=package or empty,
            capture_output=True,
            text=True,
            check=True,
        )
    return float(finished.stdout)
