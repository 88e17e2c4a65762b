"""`make fuzz`: the judges on many cases, then the collector's edges and the OpenAPI document."""

import argparse
import base64
import hashlib
import importlib.util
import os
import secrets
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.ajv import Ajv
from tests.fuzz.run import Outcome, run
from tests.support import ROOT

EXAMPLES = 2_000
"""How many examples each of Hypothesis's properties is tried with."""


def main() -> int:
    """Run all steps; 1 if any of them found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="how many, for the judges")
    parser.add_argument("--seconds", type=int, default=60, help="how long coverage leads")
    parser.add_argument("--seed", default="", help="the seed of an earlier run, to repeat it")
    arguments = parser.parse_args()
    seed = arguments.seed or secrets.token_hex(4)
    print(f"SEED={seed}")
    outcomes = {
        "the judges": _try_judges(arguments.cases, seed),
        "the edges, led by coverage, bytes": _guide(arguments.seconds // 2, seed),
        "the edges, led by coverage, JSON": _guide(arguments.seconds // 2, seed, "--structured"),
        "the edges and the OpenAPI document": _try_properties(seed),
    }
    for step, is_sound in outcomes.items():
        print(f"{step}: {'nothing found' if is_sound else 'FOUND SOMETHING, see above'}")
    if all(outcomes.values()):
        return 0
    print(f"To repeat: make fuzz CASES={arguments.cases} SEED={seed}", file=sys.stderr)
    return 1


# The judges.


def _try_judges(cases: int, seed: str) -> bool:
    print(f"\nThe judges: {cases} cases", flush=True)
    package: Path | None = ROOT / "schema"
    if not Ajv.is_installed(ROOT / "schema"):
        package = None
        print("NOT asked: ajv, which needs Node and npm")
    total = Outcome()
    started = told = time.monotonic()
    for outcome in run(seed, cases, package):
        total.add(outcome)
        for vector in outcome.vectors:
            print(vector, flush=True)
        if time.monotonic() > told + 30:
            told = time.monotonic()
            print(f"{_count(total)} so far", flush=True)
    for kind, result in sorted(total.counts):
        print(f"{total.counts[kind, result]:>9}  {kind}: {result}")
    print(f"{_count(total)} in {time.monotonic() - started:.0f} s")
    return not total.disagreements


def _count(total: Outcome) -> str:
    return f"{total.counts.total()} cases, {total.disagreements} disagreements"


# The edges.


def _guide(seconds: int, seed: str, *options: str) -> bool:
    print(f"\nThe edges, led by coverage: {seconds} s {' '.join(options)}", flush=True)
    if importlib.util.find_spec("atheris") is None:
        print("NOT run: atheris, which has wheels for CPython on Linux and x86-64 only")
        return True
    last: deque[str] = deque(maxlen=60)
    with TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "tests.fuzz.guided", "--folder", folder, *options),
            *("--seconds", str(seconds), "--seed", str(_number(seed))),
        ]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace"
        ) as process:
            assert process.stdout
            for line in process.stdout:
                last.append(line)
                if "pulse" in line or "stat::" in line:
                    print(line, end="", flush=True)
        if process.returncode:
            print("".join(last))
        for found in Path(folder).glob("found-*"):
            request = base64.b64encode(found.read_bytes()).decode()
            print(f"python -m tests.fuzz.guided --replay {request}")
    return process.returncode == 0


def _try_properties(seed: str) -> bool:
    print(f"\nThe edges and the OpenAPI document: {EXAMPLES} examples of each property", flush=True)
    command = [
        *(sys.executable, "-m", "pytest", "-q", f"--hypothesis-seed={_number(seed)}"),
        *("tests/fuzz/test_edges.py", "tests/fuzz/test_openapi.py"),
    ]
    environment = {**os.environ, "UNISIGHTS_FUZZ_EXAMPLES": str(EXAMPLES)}
    environment.pop("CI", None)
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def _number(seed: str) -> int:
    """A seed for those who want a number, and not 0."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:3]) + 1


if __name__ == "__main__":
    sys.exit(main())
