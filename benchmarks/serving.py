"""Runs an app on its server, on loopback, for as long as it is measured."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT, bodies
from benchmarks.contestants import App

SERVER_CORE = 1
LOAD_CORE = 0

_START_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        app: what it serves.
        pid: its first process; all its processes are in that one's group.
        port: where it listens, on loopback.
    """

    app: App
    pid: int
    port: int

    @property
    def url(self) -> str:
        """Where the endpoint is."""
        return f"http://127.0.0.1:{self.port}{self.app.path}"

    def post(self, body: bytes) -> int:
        """Post a body once; return the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_START_SECONDS)
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self.app.path, body, headers)
            response = connection.getresponse()
            response.read()
            return response.status

    def processes(self) -> list[int]:
        """Its processes."""
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [pid for pid in pids if _group(pid) == self.pid]


@contextlib.contextmanager
def serving(app: App, *, package: Path = ROOT) -> Iterator[Server]:
    """Run an app on its server, on a processor of its own, until this ends.

    Args:
        app: the app.
        package: the directory to import the package from.
    """
    with tempfile.TemporaryDirectory() as directory:
        child = subprocess.Popen(
            [*pinned(SERVER_CORE), sys.executable, "-um", *app.command],
            # Servers put the working directory before everything else that modules come from.
            cwd=package,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                # gunicorn puts a socket of its own into the runtime directory.
                "XDG_RUNTIME_DIR": directory,
                "BENCHMARK_DIRECTORY": directory,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            server = Server(app, child.pid, _read_port(child))
            _wait_until_it_serves(server)
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


def pinned(core: int) -> list[str]:
    """What to put before a command so that it runs on that processor alone, where possible."""
    has_both = {LOAD_CORE, SERVER_CORE} <= os.sched_getaffinity(0)
    return ["taskset", "-c", str(core)] if has_both and shutil.which("taskset") else []


def _group(pid: int) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(pid)
    return None


def _read_port(child: subprocess.Popen[str]) -> int:
    printed = ""
    for line in child.stdout or ():
        printed += line
        if ports := re.findall(r"http://127\.0\.0\.1:(\d+)", line):
            return int(ports[-1])
    raise RuntimeError(f"the server did not start:\n{printed}")


def _wait_until_it_serves(server: Server) -> None:
    status, body = 0, bodies.with_events(1)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            status = server.post(body)
            if status == server.app.status:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{server.app.name} responded {status}, not {server.app.status}")
