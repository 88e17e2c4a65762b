"""What chaos is let loose on: an app on its production server."""

import contextlib
import json
import os
import random
import resource
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tests.processes import DEADLINE, listens, wait_for
from tests.servers.servers import (
    DJANGO,
    DJANGO_ASYNC,
    FASTAPI,
    FLASK,
    GUNICORN,
    GUNICORN_UVICORN,
    PRELOAD,
    UVICORN,
    Combination,
    Settings,
    launch,
    processes_of,
    with_arguments,
)
from tests.spools import query

TARGETS = {
    "fastapi": Combination(with_arguments(UVICORN, "--workers 2"), FASTAPI),
    "fastapi-gunicorn": Combination(with_arguments(GUNICORN_UVICORN, "-w 2"), FASTAPI),
    "flask": Combination(with_arguments(GUNICORN, "-w 2"), FLASK),
    "flask-preload": Combination(PRELOAD, FLASK),
    "django": Combination(with_arguments(GUNICORN, "-w 2"), DJANGO),
    "django-async": Combination(with_arguments(UVICORN, "--workers 2"), DJANGO_ASYNC),
}
"""Each with two workers, as users start them."""


@dataclass
class Target:
    """An app on its server, that can be killed and started again: the same port, the same spool.

    Attributes:
        directory: where its records are.
        spool: its spool.
        delivery: how it delivers.
        options: more options of the endpoint.
        sink: the URL of the sink that is its handler; empty: one that fails when it is told to.
        has_clock: whether the time of day is what `set_clock` says.
        file_limit: the size that no file may grow beyond, in bytes.
        combination: the app on its server; None for what `TARGETS` holds.
        counts_accepted: whether the app tells how many payloads it has accepted.
        retries: when a failed attempt is repeated, if delivery is durable.
    """

    name: str
    directory: Path
    spool: Path
    delivery: str = "durable"
    sink: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    has_clock: bool = False
    file_limit: int | None = None
    child: subprocess.Popen[bytes] | None = None
    combination: Combination | None = None
    counts_accepted: bool = False
    retries: dict[str, Any] = field(
        default_factory=lambda: {"attempts": 1000, "pause": 0.1, "max_pause": 1.0}
    )

    def __post_init__(self) -> None:
        self.combination = self.combination or TARGETS[self.name]
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        if not self.combination.server.inherits:
            self._listener.close()
        self.runtime = self.directory
        self.set_clock(0)

    def start(self) -> None:
        """Start the server; it may be running again in a moment."""
        assert self.combination is not None
        durable = {"spool": str(self.spool), **self.retries}
        moody = "moody-async" if self.combination.app.is_async else "moody"
        settings = Settings(
            options={
                "delivery": self.delivery,
                **(durable if self.delivery == "durable" else {}),
                **self.options,
            },
            handler="sink" if self.sink else moody,
            sink=self.sink,
            has_clock=self.has_clock,
            counts_accepted=self.counts_accepted,
        )
        self.child = launch(
            self.combination,
            self.directory,
            settings,
            self.port,
            self._listener.fileno(),
            runtime=self.runtime,
        )
        if self.file_limit is not None:
            limits = (self.file_limit, self.file_limit)
            resource.prlimit(self.child.pid, resource.RLIMIT_FSIZE, limits)
        if not self.combination.server.inherits:
            wait_for(lambda: listens(self.port), "the start")
        elif self.name in TARGETS:
            wait_for(self.workers, "the start of workers")
        # Else, what comes before it serves waits at the socket.

    def workers(self) -> list[int]:
        """The processes that serve: all but the first one and multiprocessing's tracker."""
        assert self.child is not None
        return [
            pid
            for pid in processes_of(self.child.pid)
            if pid != self.child.pid and not _is_tracker(pid)
        ]

    def kill_worker(self) -> None:
        """SIGKILL one of the workers; the master starts another."""
        if workers := self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)

    def kill_master(self) -> None:
        """SIGKILL the first process, then, at a random moment, whatever has outlived it."""
        assert self.child is not None
        self.child.kill()
        time.sleep(random.uniform(0, 0.5))
        self.kill_all()

    def kill_all(self) -> None:
        """SIGKILL every process at once."""
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
            wait_for(lambda: not processes_of(self.child.pid), "the end of every process")  # type: ignore[union-attr]

    def terminate(self) -> None:
        """End the server as a deployment does: SIGTERM, and wait."""
        assert self.child is not None
        self.child.terminate()
        self.child.wait(DEADLINE)
        wait_for(lambda: not processes_of(self.child.pid), "the end of every process")  # type: ignore[union-attr]

    def set_mood(self, **mood: float) -> None:
        """Tell the handlers to `delay`, in seconds, or which part of the calls `fails`."""
        self._write("mood", json.dumps(mood))

    def set_clock(self, seconds: float) -> None:
        """Set the servers' time of day, in seconds from the true one."""
        self._write("clock", str(seconds))

    def _write(self, name: str, text: str) -> None:
        new = self.directory / f"{name}.new"
        new.write_text(text)
        new.replace(self.directory / name)

    def handled(self) -> dict[str, list[str]]:
        """The content ids that the handlers saw, by the payload's label."""
        return self.recorded("handled")

    def recorded(self, name: str) -> dict[str, list[str]]:
        """The content ids of a record file: `handled`, or `errors`, what on_error was given."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        path = self.directory / name
        for line in path.read_bytes().splitlines() if path.exists() else []:
            record = json.loads(line)
            found[record["label"]].append(record["content_id"])
        return found

    def accepted(self) -> int:
        """How many payloads the endpoints have accepted, by their own count."""
        path = self.directory / "accepted"
        return sum(map(int, path.read_text().split())) if path.exists() else 0

    def dead_letters(self) -> set[str]:
        """The labels of the dead letters in the spool."""
        if self.delivery != "durable" or not self.spool.exists():
            return set()
        rows = query(self.spool, "SELECT raw FROM payloads JOIN dead USING (id)")
        return {json.loads(cast("bytes", raw))["data"]["asset_id"] for (raw,) in rows}

    def signal_all(self, number: int) -> None:
        """Send every process a signal."""
        assert self.child is not None
        os.killpg(self.child.pid, number)

    def close(self) -> None:
        """End everything."""
        self.kill_all()
        self._listener.close()


@contextlib.contextmanager
def target(name: str, directory: Path, **arguments: Any) -> Iterator[Target]:
    """Run a target until this ends."""
    arguments.setdefault("spool", directory / "spool.sqlite3")
    made = Target(name, directory, **arguments)
    try:
        made.start()
        yield made
    finally:
        made.close()


def _is_tracker(pid: int) -> bool:
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
