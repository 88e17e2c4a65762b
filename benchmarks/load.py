"""End to end: requests to each app on its server, by the load generator wrk."""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import corpus
from benchmarks.serving import GROUPS, LOAD_CORE, Server, pinned, serving
from benchmarks.timing import Case, interleave

CONNECTIONS = 16

MISSING = "End to end was SKIPPED: wrk is not installed (on Debian, as root: make bench-deps)."

PROCESSOR_TIME = "processor time"
"""What the names of the cases end with that hold a server's processor time for each request."""


@dataclass(frozen=True)
class LoadEffort:
    """How much load there is.

    Attributes:
        rounds: how often each app is put under load.
        seconds: for how long each time.
    """

    rounds: int
    seconds: int


@dataclass(frozen=True)
class Outcome:
    """What came of one run.

    Attributes:
        rate: requests per second that were answered.
        processor_time: how long the server's processes ran for each request, in seconds.
    """

    rate: float
    processor_time: float


def is_available() -> bool:
    """Whether there is a load generator."""
    return shutil.which("wrk") is not None


def measure_load(name: str, body: bytes, effort: LoadEffort) -> list[Case]:
    """Every app with a body, in the groups in which they are compared."""
    cases = []
    for group, apps in GROUPS.items():
        with contextlib.ExitStack() as stack:
            servers = {app.name: stack.enter_context(serving(app, body)) for app in apps}
            cases += measure_servers(f"{group}, {name}", servers, body, effort)
    return cases


def bodies() -> dict[str, bytes]:
    """What is posted: a long batch, and the most frequent kind of beacon."""
    return {"100 events": corpus.mixed_body(100), "1 event of 2 kB": corpus.long_url_body()}


def measure_servers(
    name: str, servers: Mapping[str, Server], body: bytes, effort: LoadEffort
) -> list[Case]:
    """Put servers under load in turn; the first one is the reference."""
    reference = next(iter(servers))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "body"
        path.write_bytes(body)
        processor_times: dict[str, list[float]] = {each: [] for each in servers}

        def run_on(each: str) -> Callable[[], float]:
            def run() -> float:
                outcome = put_under_load(servers[each], path, effort.seconds)
                processor_times[each].append(outcome.processor_time)
                return outcome.rate

            return run

        for server in servers.values():
            put_under_load(server, path, 1)
        rates = interleave({each: run_on(each) for each in servers}, effort.rounds)
    facts = {"bytes": len(body)}
    return [
        Case(name, "requests/s", reference, rates, facts),
        Case(f"{name}, {PROCESSOR_TIME}", "s", reference, processor_times, facts),
    ]


def put_under_load(server: Server, body: Path, seconds: int) -> Outcome:
    """Post a body for so long; every answer must be the right one."""
    script = Path(__file__).with_name("wrk.lua")
    options = f"-t1 -c{CONNECTIONS} -d{seconds}s --timeout 10s -s {script}"
    command = [*pinned(LOAD_CORE), "wrk", *options.split(), server.url, str(body)]
    before = server.processor_time()
    finished = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=seconds + 30
    )
    used = server.processor_time() - before
    seen = json.loads(finished.stdout.splitlines()[-1])
    if seen["refused"] or seen["broken"] or not seen["requests"]:
        raise RuntimeError(f"{server.app.name} did not answer everything: {seen}")
    return Outcome(seen["requests"] / seen["seconds"], used / seen["requests"])
