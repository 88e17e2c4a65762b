"""What a body that never ends adds to the memory of the server that refuses it."""

import contextlib
import http.client
import select
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks import bodies
from benchmarks.contestants import ADAPTERS, App
from benchmarks.serving import serving
from benchmarks.timing import Case

_CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
_CHUNKS = 300 * 16

_HEAD = (
    b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)


def measure_flooding(apps: Iterable[App] = ADAPTERS) -> list[Case]:
    """What each server's memory grew by, beside the limit of a body."""
    added = {app.name: [float(_added_by_flood(app))] for app in apps}
    limit = "max_payload_size"
    return [Case("300 MiB in chunks", "B", limit, {limit: [float(1024 * 1024)], **added})]


def _added_by_flood(app: App) -> int:
    with serving(app) as server:
        # What is set up once is not counted: a payload of an eighth of the limit sets it up.
        server.post(bodies.of_size(128 * 1024))
        before = {pid: _peak_memory(pid) for pid in server.processes()}
        status = _flood(server.port, app.path)
        time.sleep(0.1)
        after = {pid: _peak_memory(pid) for pid in server.processes()}
        if status != 413 or before.keys() != after.keys():
            raise RuntimeError(f"{app.name} did not refuse the flood: {status}")
    return max(after[pid] - before[pid] for pid in after)


def _flood(port: int, path: str) -> int:
    """Send chunks until there is a response; return its status."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        # The server may respond and close at any time.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(_HEAD % path.encode())
            for _ in range(_CHUNKS):
                if select.select([client], [], [], 0)[0]:
                    break
                client.sendall(_CHUNK)
            else:
                client.sendall(b"0\r\n\r\n")
        with contextlib.closing(http.client.HTTPResponse(client)) as response:
            response.begin()
            return response.status


def _peak_memory(pid: int) -> int:
    """The most memory that a process has held so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
