"""Starts processes and servers on loopback, talks to them, and ends them."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.support import ROOT

PYTHON = sys.executable

DEADLINE = 30.0
"""How long anything may take to start or to end, in seconds; these machines can be busy."""


class Process(subprocess.Popen[str]):
    """A process in the background.

    Attributes:
        output: the file that holds what it prints, standard error included. A pipe would be full
            after a few tracebacks, and the process would wait until somebody reads it.
    """

    output: IO[bytes]


@contextlib.contextmanager
def process(
    command: Sequence[str],
    *,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    stdin: int | None = None,
) -> Iterator[Process]:
    """Run a command in the background. Its whole group is killed when this ends."""
    with tempfile.NamedTemporaryFile("ab") as written, Path(written.name).open("rb") as output:
        child = Process(
            command,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=stdin,
            stdout=written,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        child.output = output
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if child.stdin is not None:
                child.stdin.close()


def run_python(
    code: str, *arguments: str, timeout: float = DEADLINE, check: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run Python code to its end, in a process of its own; return its output."""
    return subprocess.run(
        [PYTHON, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=check,
    )


def stop(child: Process, number: int = signal.SIGTERM) -> str:
    """Send a signal, wait for the end, and return what was printed since it was last read."""
    child.send_signal(number)
    return read_to_end(child)


def read_to_end(child: Process) -> str:
    """Wait until a process ends, and return what it has printed since it was last read."""
    child.wait(DEADLINE)
    return child.output.read().decode(errors="replace")


def read_until(child: Process, text: str) -> str:
    """Wait for a line that holds the text, and return all lines up to it."""
    read, deadline = b"", time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        has_ended = not _lives(child)
        while line := child.output.readline():
            read += line
            if line.endswith(b"\n") and text.encode() in read:
                return read.decode(errors="replace")
        if has_ended:
            break
        time.sleep(0.01)
    raise AssertionError(f"{text!r} never came; there was:\n{read.decode(errors='replace')}")


def _lives(child: Process) -> bool:
    """Whether it, or a process that it has started, has not ended."""
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    """A port on loopback that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether a server on loopback accepts connections."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


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
