"""The servers, the apps, and how one runs the other: each in processes of its own."""

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.processes import DEADLINE, PYTHON, peak_memory, wait_for
from tests.servers.apps.settings import VARIABLE
from tests.servers.wire import Answer, exchange
from tests.support import ROOT, make_body


@dataclass(frozen=True)
class App:
    """One app: a framework and its delivery.

    Attributes:
        module: its module in `tests.servers.apps`.
        needs: the framework's package, if any.
        is_async: whether it is an ASGI app; else, it is one of WSGI.
        accepted: the status of what it takes, when no delivery is asked for.
        options: the options of the endpoint that make it so.
    """

    name: str
    module: str
    needs: str = "unisights"
    is_async: bool = True
    accepted: int = 200
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """One server, as its users start it.

    Attributes:
        arguments: its command line, behind `python -m`; `{app}` is the app, `{fd}` a listening
            socket that it inherits, `{port}` a free port that it is to listen on.
        needs: the packages that it takes.
    """

    name: str
    arguments: str
    needs: tuple[str, ...]

    @property
    def inherits(self) -> bool:
        """Whether it inherits a listening socket."""
        return "{fd}" in self.arguments


@dataclass(frozen=True)
class Combination:
    """An app on a server."""

    server: Server
    app: App

    def __str__(self) -> str:
        return f"{self.server.name}-{self.app.name}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an app is set up.

    Attributes:
        options: the endpoint's options, beside the handlers.
        handler: which handler: `sync`, `async`, `forward`, `moody`, `moody-async` or `sink`.
        delay: how long the first two take, in seconds.
        error_delay: how long `on_error` takes, in seconds.
        forward_to: the URL that the third one posts to.
        sink: the URL that the last one stores to.
        has_clock: whether the test sets the time of day.
        counts_accepted: whether the app tells how many payloads it has accepted.
    """

    options: dict[str, Any] = field(default_factory=dict)
    handler: str = "sync"
    delay: float = 0
    error_delay: float = 0
    forward_to: str = ""
    sink: str = ""
    has_clock: bool = False
    counts_accepted: bool = False


ASGI = App("asgi", "asgi_app")
STARLETTE = App("starlette", "starlette_app", "starlette")
STARLETTE_MIDDLEWARE = App("starlette-middleware", "starlette_middleware_app", "starlette")
FASTAPI = App("fastapi", "fastapi_app", "fastapi")
DJANGO_ASYNC = App("django-async", "django_asgi", "django")
DJANGO_ON_ASGI = App("django-on-asgi", "django_sync_asgi", "django")
FLASK = App("flask", "flask_app", "flask", is_async=False, accepted=202)
FLASK_INLINE = App(
    "flask-inline", "flask_app", "flask", is_async=False, options={"delivery": "inline"}
)
DJANGO = App("django", "django_wsgi", "django", is_async=False)

_GUNICORN = "gunicorn --bind fd://{fd}"
_UVICORN_WORKER = (
    "uvicorn_worker" if importlib.util.find_spec("uvicorn_worker") else "uvicorn.workers"
)

UVICORN = Server("uvicorn", "uvicorn --fd {fd} --no-access-log {app}", ("uvicorn",))
HYPERCORN = Server("hypercorn", "hypercorn --bind fd://{fd} {app}", ("hypercorn",))
GRANIAN = Server(
    "granian", "granian --interface asgi --host 127.0.0.1 --port {port} {app}", ("granian",)
)
GRANIAN_WSGI = Server(
    "granian-wsgi", "granian --interface wsgi --host 127.0.0.1 --port {port} {app}", ("granian",)
)
GUNICORN_UVICORN = Server(
    "gunicorn-uvicorn",
    f"{_GUNICORN} -k {_UVICORN_WORKER}.UvicornWorker {{app}}",
    ("gunicorn", _UVICORN_WORKER),
)
GUNICORN_ASGI = Server(
    "gunicorn-asgi", f"{_GUNICORN} -k asgi {{app}}", ("gunicorn", "gunicorn.workers.gasgi")
)
GUNICORN = Server("gunicorn", f"{_GUNICORN} {{app}}", ("gunicorn",))
GTHREAD = Server("gthread", f"{_GUNICORN} -k gthread --threads 4 {{app}}", ("gunicorn",))
PRELOAD = Server("preload", f"{_GUNICORN} -w 2 --preload {{app}}", ("gunicorn",))
WAITRESS = Server("waitress", "waitress --listen=127.0.0.1:{port} {app}", ("waitress",))
UWSGI = Server(
    "uwsgi",
    "tests.servers.uwsgi --http-socket 127.0.0.1:{port} --master --need-app"
    " --processes 2 --enable-threads --disable-logging --module {app}",
    ("pyuwsgi",),
)
UWSGI_THREADS = Server(
    "uwsgi-threads",
    "tests.servers.uwsgi --http-socket 127.0.0.1:{port} --master --need-app"
    " --lazy-apps --threads 4 --disable-logging --module {app}",
    ("pyuwsgi",),
)
FLASK_RUN = Server("flask-run", "flask --app {app} run --port {port}", ("flask",))
RUNSERVER = Server(
    "runserver", "tests.servers.manage {app} runserver --noreload {port}", ("django",)
)
WSGIREF = Server("wsgiref", "tests.servers.wsgiref_threads {app} {port}", ())

COMBINATIONS = [
    *(
        Combination(server, app)
        for server in (UVICORN, HYPERCORN, GRANIAN, GUNICORN_UVICORN, GUNICORN_ASGI)
        for app in (ASGI, STARLETTE, FASTAPI, DJANGO_ASYNC)
    ),
    *(
        Combination(server, app)
        for server in (GUNICORN, GTHREAD, PRELOAD, GRANIAN_WSGI)
        for app in (FLASK, FLASK_INLINE, DJANGO)
    ),
]
"""Every app on every server that can run it."""


def with_arguments(server: Server, arguments: str, name: str = "") -> Server:
    """The server, with more on its command line, and a name for that."""
    return replace(server, name=name or server.name, arguments=f"{server.arguments} {arguments}")


@dataclass(frozen=True)
class Running:
    """An app on a server that runs.

    Attributes:
        combination: which app on which server.
        child: the server's first process; its group is all of them.
        port: where it listens, on loopback.
        directory: where the app's records and the server's output go.
    """

    combination: Combination
    child: subprocess.Popen[bytes]
    port: int
    directory: Path

    def call(self, method: str = "POST", **arguments: Any) -> Answer:
        """Make one request."""
        return exchange(self.port, method, **arguments)

    def post(self, label: str, **arguments: Any) -> Answer:
        """Post a valid payload that can be told by its label."""
        return self.call(body=make_body(asset_id=label), **arguments)

    def records(self, name: str) -> list[dict[str, Any]]:
        """What the app has recorded so far: `started`, `handled` or `errors`."""
        path = self.directory / name
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def labels(self, name: str) -> Counter[str]:
        """How often each label was recorded."""
        return Counter(record["label"] for record in self.records(name))

    def output(self) -> str:
        """What the server has printed so far."""
        return (self.directory / "output").read_text(errors="replace")

    def send_signal(self, number: int = signal.SIGTERM) -> None:
        """Send the server's first process a signal."""
        self.child.send_signal(number)

    def send_signal_to_all(self, number: int = signal.SIGTERM) -> None:
        """Send every process of the server a signal, the first one last.

        A moment passes in between: else, a process that is sent the same signal by the first
        one may see the two as one.
        """
        for pid in self.processes():
            if pid != self.child.pid:
                os.kill(pid, number)
        time.sleep(0.2)
        self.send_signal(number)

    def wait_for_end(self) -> float:
        """Wait until every process of the server has ended; return how long it took."""
        begin = time.monotonic()
        try:
            self.child.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end:\n{self.output()}") from None
        wait_for(lambda: not self.processes(), "the end of every process")
        return time.monotonic() - begin

    def processes(self) -> list[int]:
        """The server's processes that have not ended."""
        return processes_of(self.child.pid)

    def peak_memory(self) -> dict[int, int]:
        """The most memory that each of the processes has held so far, in bytes."""
        return {pid: peak_memory(pid) for pid in self.processes()}


@contextlib.contextmanager
def running(
    combination: Combination, directory: Path, settings: Settings | None = None
) -> Iterator[Running]:
    """Run an app on a server until this ends; skip the test if either is missing."""
    skip_if_missing(combination)
    with starting(combination, directory, settings or Settings()) as server:
        _wait_until_it_serves(server)
        yield server


def skip_if_missing(combination: Combination) -> None:
    """Skip the test if the app or the server is missing."""
    for package in (combination.app.needs, *combination.server.needs):
        if not _is_installed(package):
            pytest.skip(f"{package} is not installed")


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False  # Its parent is missing.


@contextlib.contextmanager
def starting(combination: Combination, directory: Path, settings: Settings) -> Iterator[Running]:
    """Start an app on a server without any request, and end it when this ends."""
    (directory / "output").unlink(missing_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if not combination.server.inherits:
            listener.close()
        child = launch(combination, directory, settings, port, listener.fileno())
    try:
        yield Running(combination, child, port, directory)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def launch(
    combination: Combination,
    directory: Path,
    settings: Settings,
    port: int,
    fd: int,
    *,
    runtime: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start an app on a server, in a group of its own, and wait for nothing.

    Args:
        combination: the app and the server.
        directory: where the app's records and, appended, the server's output go.
        settings: how the app is set up.
        port: where the server listens.
        fd: the listening socket of that port, if the server inherits it.
        runtime: where gunicorn puts a socket of its own; None for `directory`.
    """
    server, app = combination.server, combination.app
    told = {
        **asdict(settings),
        "options": {**app.options, **settings.options},
        "directory": str(directory),
    }
    command = server.arguments.format(app=f"tests.servers.apps.{app.module}:app", fd=fd, port=port)
    with (directory / "output").open("ab") as output:
        return subprocess.Popen(
            [PYTHON, "-m", *command.split()],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "XDG_RUNTIME_DIR": str(runtime or directory),
                VARIABLE: json.dumps(told),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(fd,) if server.inherits else (),
            start_new_session=True,
        )


def _wait_until_it_serves(server: Running) -> None:
    def serves() -> bool:
        assert server.child.poll() is None, f"it did not start:\n{server.output()}"
        try:
            return server.call("GET").status == 405
        except OSError:
            return False

    wait_for(serves, f"the start of {server.combination}")


def processes_of(group: int) -> list[int]:
    """The processes of a group that have not ended."""
    return [pid for pid, theirs in _living() if theirs == group]


def _living() -> Iterator[tuple[int, int]]:
    """Every process that has not ended, and its group."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _parent, group = fields[:3]
        if state not in {"Z", "X"}:
            yield int(stat.parent.name), int(group)
