"""Starts real servers on loopback, talks to them, and ends them."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.support import ROOT

DEADLINE = 30.0
"""How long anything may take to start or to end, in seconds; these machines can be busy."""


@contextlib.contextmanager
def process(
    command: Sequence[str],
    *,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    stdin: int | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the background; its output is a pipe. It is gone when this ends."""
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


def stop(child: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """Send a signal, wait for the end, and return what was printed since it was last read."""
    child.send_signal(number)
    output, _ = child.communicate(timeout=DEADLINE)
    return output


def read_until(stream: IO[str] | None, text: str) -> str:
    """Read lines up to one that holds the text."""
    assert stream is not None
    read = ""
    for line in stream:
        read += line
        if text in line:
            return read
    raise AssertionError(f"{text!r} never came; there was:\n{read}")


def post(
    port: int, body: bytes, path: str = "/events", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Post JSON to a server on loopback; return the status and the answer's body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        sent = {"Content-Type": "application/json", **(headers or {})}
        connection.request("POST", path, body, sent)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def peak_memory(pid: int) -> int:
    """The most memory that a process has held so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def wait_for(condition: object, what: str) -> None:
    """Wait until a condition, called again and again, holds."""
    assert callable(condition)
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


PYTHON = sys.executable
