"""`python -m benchmarks.durable`: durable against inline delivery, on FastAPI and uvicorn, by wrk.

Each round measures all of them, one after the other, so that a busy machine is busy for all.
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODES = ("inline", "process", "power")

_VARIABLE = "UNISIGHTS_BENCHMARK"

_LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[{body}]]
"""


def make_app() -> Any:
    """The app that is measured: a handler that does nothing."""
    from fastapi import FastAPI  # noqa: PLC0415  # in the server's process only

    from unisights import UnisightsOptions  # noqa: PLC0415
    from unisights.fastapi import unisights_fastapi  # noqa: PLC0415

    settings = json.loads(os.environ[_VARIABLE])

    async def handle(payload: Any, request: Any) -> None:
        pass

    def handle_sync(payload: Any, request: Any) -> None:
        pass

    handler = handle if settings["handler"] == "async" else handle_sync
    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(handler=handler, **settings["options"])))
    return app


def measure(mode: str, handler: str, seconds: int, connections: int) -> tuple[float, float | None]:
    """Requests a second, and payloads a commit."""
    with tempfile.TemporaryDirectory() as directory:
        spool = Path(directory) / "spool.sqlite3"
        durable = {"delivery": "durable", "spool": str(spool), "durability": mode}
        options = {"delivery": "inline"} if mode == "inline" else durable
        script = Path(directory) / "post.lua"
        script.write_text(_LUA.format(body=_body(2000)))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = f"-m uvicorn --factory benchmarks.durable:make_app --port {port} --no-access-log"
        server = subprocess.Popen(
            [sys.executable, *command.split(), "--log-level", "warning"],
            env={**os.environ, _VARIABLE: json.dumps({"handler": handler, "options": options})},
        )
        try:
            _wait(port)
            wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(script)]
            printed = subprocess.run(
                [*wrk, f"http://127.0.0.1:{port}/events"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        finally:
            server.terminate()
            server.wait()
        if "Non-2xx" in printed:
            raise RuntimeError(printed)
        found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
        if found is None:
            raise RuntimeError(printed)
        return float(found[1]), None if mode == "inline" else _rows_per_commit(spool)


def main() -> None:
    """Measure, and print the medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed")
    for handler in ("async", "sync"):
        figures: dict[str, list[tuple[float, float | None]]] = {mode: [] for mode in MODES}
        for _ in range(options.rounds):
            for mode in MODES:
                figures[mode].append(measure(mode, handler, options.seconds, options.connections))
        inline = statistics.median(rate for rate, _ in figures["inline"])
        for mode in MODES:
            rate = statistics.median(rate for rate, _ in figures[mode])
            shared = figures[mode][-1][1]
            commits = "" if shared is None else f", {shared:.1f} payloads a commit"
            print(f"{handler:5} {mode:8} {rate:7.0f}/s  {rate / inline:.2f} of inline{commits}")


def _body(size: int) -> str:
    """A payload of about so many bytes."""
    event = {"type": "click", "data": {"x": 1, "y": 2, "timestamp": 1_760_000_000_000}}
    data = {
        "asset_id": "shop",
        "session_id": "8f14e45f-ceea-467f-a0e6-2f1d3c4b5a69",
        "page_url": "https://shop.example/cart",
        "events": [event] * (size // 75),
    }
    return json.dumps({"data": data})


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError


def _rows_per_commit(spool: Path) -> float:
    command = [sys.executable, "-m", "unisights", "spool", "stat", "--format", "json", str(spool)]
    stat = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return float(stat["rows_per_commit"])


if __name__ == "__main__":
    main()
