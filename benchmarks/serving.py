"""The servers under load: which app runs on which, and one process of each."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import PYTHON, post, process, read_until, wait_for
from tests.support import ROOT

_UVICORN = "uvicorn --port 0 --loop uvloop --http httptools --no-access-log"
_GUNICORN = "gunicorn --bind 127.0.0.1:0 -k gthread --threads 4"

SERVER_CORE = 1
LOAD_CORE = 0


@dataclass(frozen=True)
class App:
    """One endpoint of an app, and the server that it runs on.

    Attributes:
        name: the contestant's name.
        target: its module in `benchmarks.apps`, and the app in it.
        path: where the endpoint is.
        status: what it answers if all is well.
        is_async: whether it is an ASGI app, for uvicorn; else it is one of WSGI, for gunicorn.
        is_factory: whether the target is a function that makes it.
    """

    name: str
    target: str
    path: str
    status: int = 200
    is_async: bool = True
    is_factory: bool = False

    @property
    def command(self) -> str:
        """The server's command line behind `python -m`."""
        server = _UVICORN if self.is_async else _GUNICORN
        return f"{server} {'--factory ' if self.is_factory else ''}benchmarks.apps.{self.target}"


BARE_READ = App("bare ASGI, body read", "bare:read", "/")
BARE_PARSE = App("bare ASGI + orjson.loads", "bare:parse", "/")
ASGI = App("unisights_asgi", "bare:endpoint", "/events")
FASTAPI_READ = App("FastAPI, body read", "fastapi_app:reading", "/events")
FASTAPI_MODEL = App("FastAPI, pydantic parameter", "fastapi_app:validating", "/events")
FASTAPI = App("unisights_fastapi", "fastapi_app:receiving", "/events")
FLASK_READ = App("Flask, body read", "flask_app:app", "/read", is_async=False)
FLASK = App("unisights_flask, inline", "flask_app:app", "/events", is_async=False)
FLASK_BACKGROUND = App(
    "unisights_flask, background", "flask_app:background", "/events", status=202, is_async=False
)
DJANGO_READ = App("Django, body read", "django_app:app", "/read", is_async=False)
DJANGO = App("unisights_django", "django_app:app", "/events", is_async=False)
DJANGO_ASYNC_READ = App("Django async, body read", "django_async_app:app", "/read")
DJANGO_ASYNC = App("unisights_django_async", "django_async_app:app", "/events")

INLINE = App("inline", "durable_app:inline", "/events", is_factory=True)
DURABLE = App("durable, process", "durable_app:process", "/events", 202, is_factory=True)
DURABLE_POWER = App("durable, power", "durable_app:power", "/events", 202, is_factory=True)

GROUPS: dict[str, tuple[App, ...]] = {
    "ASGI": (BARE_PARSE, BARE_READ, ASGI, FASTAPI_READ, FASTAPI_MODEL, FASTAPI),
    "Flask": (FLASK_READ, FLASK, FLASK_BACKGROUND),
    "Django": (DJANGO_READ, DJANGO),
    "Django async": (DJANGO_ASYNC_READ, DJANGO_ASYNC),
}
"""Who is compared with whom; the first one is the reference."""

ADAPTERS = (ASGI, FASTAPI, FLASK, FLASK_BACKGROUND, DJANGO, DJANGO_ASYNC)


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        app: what it serves.
        pid: its first process; its group is all of them.
        port: where it listens, on loopback.
        directory: where it may leave files; it ends with the server.
    """

    app: App
    pid: int
    port: int
    directory: Path

    @property
    def url(self) -> str:
        """Where the endpoint is."""
        return f"http://127.0.0.1:{self.port}{self.app.path}"

    def processes(self) -> list[int]:
        """Its processes."""
        return list(self._processor_times())

    def processor_time(self) -> float:
        """How long its processes have run on a processor so far, in seconds."""
        return sum(self._processor_times().values())

    def _processor_times(self) -> dict[int, float]:
        """The same, of each process that is alive."""
        times = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = stat.read_text(errors="replace").rpartition(")")[2].split()
                state, group, ticks = fields[0], int(fields[2]), int(fields[11]) + int(fields[12])
                if group == self.pid and state not in {"Z", "X"}:
                    times[int(stat.parent.name)] = ticks / os.sysconf("SC_CLK_TCK")
        return times


@contextlib.contextmanager
def serving(app: App, body: bytes, *, package: Path | None = None) -> Iterator[Server]:
    """Run an app on its server, on a processor of its own, until this ends.

    Args:
        app: the app.
        body: what it is tried out with.
        package: a directory to import the package from, instead of this tree.
    """
    with tempfile.TemporaryDirectory() as runtime:
        # gunicorn puts a socket of its own into the runtime directory.
        places = {"XDG_RUNTIME_DIR": runtime, "BENCHMARK_DIRECTORY": runtime}
        env = {"PYTHONPATH": str(ROOT), **places}
        command = [*pinned(SERVER_CORE), PYTHON, "-m", *app.command.split()]
        # Servers put the working directory before everything else that modules come from.
        with process(command, cwd=package or ROOT, env=env) as child:
            started = read_until(child.stdout, "http://127.0.0.1:")
            port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", started)[-1])
            wait_for(lambda: _serves(port, app, body), f"the start of {app.name}")
            yield Server(app, child.pid, port, Path(runtime))


def pinned(core: int) -> list[str]:
    """What to put before a command so that it runs on that processor alone, if it can be said."""
    has_both = {LOAD_CORE, SERVER_CORE} <= os.sched_getaffinity(0)
    return ["taskset", "-c", str(core)] if has_both and shutil.which("taskset") else []


def _serves(port: int, app: App, body: bytes) -> bool:
    with contextlib.suppress(OSError):
        return post(port, body, app.path)[0] == app.status
    return False
