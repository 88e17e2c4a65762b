"""Requests to each app on its server, from the load generator wrk."""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks import bodies
from benchmarks.contestants import DELIVERIES, GROUPS
from benchmarks.serving import LOAD_CORE, Server, pinned, serving
from benchmarks.timing import Case, Effort, interleave

CONNECTIONS = 16

MISSING = "Servers were SKIPPED: wrk is not installed (on Debian, as root: make bench-deps)."


def is_available() -> bool:
    """Whether there is a load generator."""
    return shutil.which("wrk") is not None


def measure_load(effort: Effort) -> list[Case]:
    """Every app with every mix of bodies, in the groups in which they are compared."""
    cases = []
    for group, apps in GROUPS.items():
        with contextlib.ExitStack() as stack:
            servers = {app.name: stack.enter_context(serving(app)) for app in apps}
            cases += measure_servers(group, servers, bodies.under_load(), effort)
    return cases


def measure_durable(effort: Effort) -> list[Case]:
    """Durable beside inline delivery."""
    with contextlib.ExitStack() as stack:
        servers = {app.name: stack.enter_context(serving(app)) for app in DELIVERIES}
        mixes = {"1 event of 2 kB": (bodies.long_url(),)}
        return measure_servers("async handler", servers, mixes, effort)


def measure_servers(
    name: str,
    servers: Mapping[str, Server],
    mixes: Mapping[str, Sequence[bytes]],
    effort: Effort,
) -> list[Case]:
    """Put servers under load in turn, with one mix of bodies after the other.

    The first server is the reference.
    """
    cases = []
    for mix, posted in mixes.items():
        with _as_files(posted) as paths:
            for server in servers.values():
                put_under_load(server, paths, 1)
            runs = {
                each: partial(put_under_load, server, paths, round(effort.seconds))
                for each, server in servers.items()
            }
            rates = interleave(runs, effort.rounds)
        cases.append(Case(f"{name}, {mix}", "requests/s", next(iter(servers)), rates))
    return cases


@contextlib.contextmanager
def _as_files(posted: Sequence[bytes]) -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, str(number)) for number in range(len(posted))]
        for path, body in zip(paths, posted, strict=True):
            path.write_bytes(body)
        yield paths


def put_under_load(server: Server, paths: Sequence[Path], seconds: int) -> float:
    """Post the bodies in some files, in turn, for so long; return the requests for each second.

    Raises:
        RuntimeError: not every request was taken.
    """
    script = Path(__file__).with_name("wrk.lua")
    options = f"-t1 -c{CONNECTIONS} -d{seconds}s --timeout 10s -s {script}"
    command = [*pinned(LOAD_CORE), "wrk", *options.split(), server.url, "--", *map(str, paths)]
    finished = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=seconds + 30
    )
    seen = json.loads(finished.stdout.splitlines()[-1])
    if seen["refused"] or seen["broken"] or not seen["requests"]:
        raise RuntimeError(f"{server.app.name} did not take every request: {seen}")
    return float(seen["requests"] / seen["seconds"])
