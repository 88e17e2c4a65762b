"""The servers on both sides of a page: the one that it came from, and the one it sends to."""

import base64
import contextlib
import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.browser.apps import OPEN, Settings
from tests.processes import PYTHON, process, read_until, stop, wait_for
from tests.support import CAPTURE_DIR


@dataclass(frozen=True)
class Site:
    """A server of pages and of the recorded captures, under two names: two origins, two sites."""

    port: int

    @property
    def origin(self) -> str:
        """The origin that collectors list."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def other_origin(self) -> str:
        """An origin that no collector lists."""
        return f"http://localhost:{self.port}"


_HEAD = "<title>Page</title><link rel=icon href=data:,>"


class _Pages(SimpleHTTPRequestHandler):
    """Serves pages, and the files of a directory."""

    pages: ClassVar = {
        "/": _HEAD,
        "/framed": f'{_HEAD}<iframe sandbox="allow-scripts" src="/"></iframe>',
    }

    def do_GET(self) -> None:
        page = self.pages.get(self.path)
        if page is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving_pages() -> Iterator[Site]:
    """Serve pages and captures."""
    handler = partial(_Pages, directory=CAPTURE_DIR)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Site(server.server_port)
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Recipe:
    """How to run an app under a server.

    Attributes:
        name: the framework and the server.
        needs: the packages that must be importable.
        command: the server's command line.
    """

    name: str
    needs: tuple[str, ...]
    command: tuple[str, ...]


def _uvicorn(app: str, *needs: str) -> Recipe:
    command = (PYTHON, "-m", "uvicorn", "--port", "0", "--no-access-log", "--factory")
    return Recipe(
        f"{app}-uvicorn", (*needs, "uvicorn"), (*command, f"tests.browser.apps:make_{app}")
    )


def _gunicorn(app: str, worker: str, *needs: str) -> Recipe:
    command = (PYTHON, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--worker-class", worker)
    return Recipe(
        f"{app}-gunicorn-{worker}",
        (*needs, "gunicorn"),
        (*command, f"tests.browser.apps:make_{app}()"),
    )


# One for every adapter, and other workers that can serve some of them.
RECIPES = [
    _uvicorn("asgi"),
    _uvicorn("starlette", "starlette"),
    _uvicorn("fastapi", "fastapi"),
    _gunicorn("flask", "gthread", "flask"),
    _gunicorn("django", "gthread", "django"),
    _uvicorn("django_async", "django"),
]
MORE_RECIPES = [_gunicorn("flask", "sync", "flask"), _gunicorn("django", "sync", "django")]

# Apps that run a CORS middleware beside the endpoints.
FASTAPI = _uvicorn("fastapi", "fastapi")
FASTAPI_INSIDE = _uvicorn("fastapi_inside", "fastapi")
FLASK = _gunicorn("flask", "gthread", "flask", "flask_cors")
DJANGO = _gunicorn("django", "gthread", "django", "corsheaders")
DJANGO_ASYNC = _uvicorn("django_async", "django", "corsheaders")


class Collector:
    """A running server, and the journal of what has reached it."""

    def __init__(self, port: int, journal: Path) -> None:
        self._port = port
        self._journal = journal

    def url(self, endpoint: str = OPEN, *, host: str = "localhost") -> str:
        """An endpoint's address; `127.0.0.1` is of the same site as the pages."""
        return f"http://{host}:{self._port}{endpoint}"

    def forget(self) -> None:
        """Begin the journal anew, once what was handled has been answered too."""
        wait_for(self._is_quiet, "answers to what was handled")
        os.truncate(self._journal, 0)

    def handled(self, endpoint: str = OPEN) -> list[bytes]:
        """The bodies that an endpoint's handler was called with."""
        return [
            base64.b64decode(entry["body"])
            for entry in self._entries()
            if entry.get("handled") == endpoint
        ]

    def answers(self, endpoint: str = OPEN) -> list[tuple[str, int]]:
        """The method and the status of every answer that an endpoint gave."""
        return [
            (entry["method"], entry["status"])
            for entry in self._entries()
            if entry.get("answered") == endpoint
        ]

    def wait_until_handled(self, *bodies: bytes, endpoint: str = OPEN) -> None:
        """Wait until as many bodies were handled, and compare them, whatever their order."""
        wait_for(lambda: len(self.handled(endpoint)) >= len(bodies), f"{len(bodies)} arrivals")
        handled = self.handled(endpoint)
        assert sorted(handled) == sorted(bodies), handled

    def wait_until_answered(self, *methods: str, endpoint: str = OPEN) -> None:
        """Wait until an endpoint has answered exactly these requests."""
        wait_for(lambda: len(self.answers(endpoint)) >= len(methods), f"answers to {methods}")
        answers = self.answers(endpoint)
        assert [method for method, _ in answers] == list(methods), answers

    def _is_quiet(self) -> bool:
        entries = self._entries()
        handled = sum("handled" in entry for entry in entries)
        taken = sum(
            entry.get("method") == "POST" and entry["status"] in {200, 202} for entry in entries
        )
        return handled <= taken

    def _entries(self) -> list[dict[str, Any]]:
        lines = self._journal.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]


@contextlib.contextmanager
def collecting(
    recipe: Recipe, directory: Path, site: Site, cors: dict[str, Any] | None = None
) -> Iterator[Collector]:
    """Run an app, perhaps with its framework's CORS middleware; nothing in it may blow up."""
    for package in recipe.needs:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    journal = directory / "journal.jsonl"
    journal.touch()
    settings = Settings(journal=journal, listed_origin=site.origin, cors=cors)
    # gunicorn puts a socket there.
    environment = {**settings.to_environment(), "XDG_RUNTIME_DIR": str(directory)}
    with process(recipe.command, env=environment) as child:
        banner = read_until(child, "http://127.0.0.1:")
        port = re.search(r"http://127\.0\.0\.1:(\d+)", banner)
        assert port is not None
        yield Collector(int(port[1]), journal)
        output = stop(child)
        assert "Traceback" not in output, output
