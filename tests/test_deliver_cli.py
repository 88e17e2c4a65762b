"""`unisights deliver`: delivers what is in an app's spools, outside of any web process."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import DEADLINE, PYTHON, Process, process, read_until, stop, wait_for
from tests.servers.servers import (
    FLASK,
    GUNICORN,
    Combination,
    Settings,
    skip_if_missing,
    starting,
)
from tests.spools import fill, new_row, query
from tests.support import ROOT
from unisights._cli.apps import find_durable_endpoints
from unisights._cli.main import main
from unisights._spool.store import Spool
from unisights.control import EndpointControl

HANDLER = """\
import os
from unisights import Durable, Retry, UnisightsOptions

def handle(payload, request):
    if payload.data.asset_id == os.environ.get("FAILING"):
        raise ConnectionError("the database is away")
    with open("handled", "a") as file:
        file.write(payload.data.asset_id + "\\n")

retry = Retry(attempts=5, pause=600, max_pause=600)
options = UnisightsOptions(handler=handle, delivery=Durable("events.spool", retry=retry))
"""

APPS = {
    "options": "",
    "flask": """\
from flask import Flask
from unisights.flask import unisights_flask
endpoint = unisights_flask(options)
app = Flask("shop")
app.register_blueprint(endpoint)
""",
    "factory": """\
from flask import Flask
from unisights.flask import unisights_flask
def create_app():
    app = Flask("shop")
    app.register_blueprint(unisights_flask(options))
    return app
""",
    "fastapi": """\
from fastapi import APIRouter, FastAPI
from unisights.fastapi import unisights_fastapi
endpoint = unisights_fastapi(options)
outer = APIRouter()
outer.include_router(endpoint)
app = FastAPI()
app.include_router(outer, prefix="/api")
""",
    "mounted": """\
from starlette.applications import Starlette
from starlette.routing import Mount
from unisights.asgi import unisights_asgi
endpoint = unisights_asgi(options)
app = Starlette(routes=[Mount("/unisights", endpoint)])
""",
    "middleware": """\
from starlette.applications import Starlette
from unisights.asgi import UnisightsASGI
app = Starlette()
app.add_middleware(UnisightsASGI, options=options)
""",
    "django": """\
from types import ModuleType
from django.conf import settings
settings.configure(ROOT_URLCONF="urls", SECRET_KEY="x")
from django.core.wsgi import get_wsgi_application
app = get_wsgi_application()
""",
}
"""Modules `main`, of which the last one needs a module `urls`."""

URLS = """\
from django.urls import path
from unisights.django import unisights_django
import main
endpoint = unisights_django(main.options)
urlpatterns = [path("events/", endpoint)]
"""

TARGETS = [
    ("options", "main:options"),
    ("flask", "main:app"),
    ("flask", "main:endpoint"),
    ("factory", "main:create_app()"),
    ("fastapi", "main:app"),
    ("fastapi", "main:endpoint"),
    ("mounted", "main:app"),
    ("middleware", "main:app"),
]


def _write(directory: Path, app: str) -> None:
    if app in {"mounted", "middleware"}:
        pytest.importorskip("starlette")
    elif app != "options":
        pytest.importorskip("flask" if app == "factory" else app)
    (directory / "main.py").write_text(HANDLER + APPS[app])
    (directory / "urls.py").write_text(URLS)


def _env(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def _deliver(directory: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "unisights", "deliver", *arguments],
        cwd=directory,
        env=_env(**env),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


def _handled(directory: Path) -> Counter[str]:
    path = directory / "handled"
    return Counter(path.read_text().split() if path.exists() else [])


@pytest.fixture
def empty_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if nothing had been imported yet, and this were the command's process."""
    known: set[EndpointControl] = set()
    monkeypatch.setattr("unisights.control.endpoints", known)
    monkeypatch.setattr("unisights._cli.apps.endpoints", known)
    # A test of another file may have configured Django.
    monkeypatch.delitem(sys.modules, "django.urls", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("main", "broken", "background", "factories", "failing", "exiting")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("empty_process")
@pytest.mark.parametrize(("app", "target"), TARGETS)
def test_durable_endpoints_are_found(app: str, target: str, tmp_path: Path) -> None:
    """In an app, in one of its endpoints, in a factory's app, or made of options."""
    _write(tmp_path, app)
    (endpoint,), _kept = find_durable_endpoints(target)
    assert endpoint.spool == tmp_path / "events.spool"


@pytest.mark.parametrize(("app", "target"), [("django", "main:app"), ("factory", TARGETS[3][1])])
def test_all_that_is_there_is_delivered(app: str, target: str, tmp_path: Path) -> None:
    """Until the spool is empty; Django's URLconf is imported for that."""
    _write(tmp_path, app)
    spool = tmp_path / "events.spool"
    fill(spool, 3)
    finished = _deliver(tmp_path, target, "--until-empty")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == [
        f"Delivering what is in {spool}",
        f"{spool}: 3 delivered, 0 became dead letters, 0 left",
    ]
    assert _handled(tmp_path) == {"site-0": 1, "site-1": 1, "site-2": 1}
    assert query(spool, "SELECT count(*) FROM payloads") == [(0,)]
    assert not [*tmp_path.glob("*-owner-*")]


def test_what_waits_for_a_retry_is_left(tmp_path: Path) -> None:
    """It exits with 1 when nothing is delivered for the timeout; the rest is delivered before."""
    _write(tmp_path, "options")
    spool = tmp_path / "events.spool"
    fill(spool, 3)
    arguments = ("main:options", "--until-empty", "--timeout", "0.5")
    finished = _deliver(tmp_path, *arguments, FAILING="site-1")
    assert finished.returncode == 1
    assert f"{spool}: 2 delivered, 0 became dead letters, 1 left" in finished.stdout
    assert f"unisights spool list --waiting {spool}" in finished.stdout
    assert "not all of it was delivered" in finished.stderr
    assert _handled(tmp_path) == {"site-0": 1, "site-2": 1}
    # One attempt was made. Nobody owns it now.
    assert query(spool, "SELECT attempts, owner FROM waiting") == [(1, 0)]


@contextmanager
def _sidecar(directory: Path, target: str) -> Iterator[Process]:
    command = [PYTHON, "-m", "unisights", "deliver", target]
    with process(command, cwd=directory, env={"PYTHONPATH": str(ROOT)}) as child:
        yield child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_sidecar_runs_until_it_is_stopped(number: int, tmp_path: Path) -> None:
    """It waits for its spool, delivers what comes, and exits with 0; running handlers may end."""
    _write(tmp_path, "options")
    handler = tmp_path / "main.py"
    handler.write_text(
        handler.read_text().replace(
            "    with open",
            "    print('begun', flush=True); __import__('time').sleep(0.5)\n    with open",
        )
    )
    with _sidecar(tmp_path, "main:options") as child:
        read_until(child, "Waiting for the spool")
        fill(tmp_path / "events.spool", 1)
        read_until(child, "begun")
        output = stop(child, number)
        assert child.returncode == 0
        assert "1 delivered, 0 became dead letters, 0 left" in output
    assert _handled(tmp_path) == {"site-0": 1}


def test_several_endpoints_are_delivered_together(tmp_path: Path) -> None:
    """Each from its own spool; an endpoint that is named alone leaves the others alone."""
    _write_several(tmp_path)
    fill(tmp_path / "events.spool", 1)
    fill(tmp_path / "b.spool", 2)
    finished = _deliver(tmp_path, "main:other", "--until-empty")
    assert finished.returncode == 0, finished.stderr
    assert _handled(tmp_path) == {"site-0": 1, "site-1": 1}
    finished = _deliver(tmp_path, "main:app", "--until-empty")
    assert finished.returncode == 0, finished.stderr
    assert _handled(tmp_path) == {"site-0": 2, "site-1": 1}
    assert finished.stdout.count("Delivering what is in") == 2


def _write_several(directory: Path) -> None:
    pytest.importorskip("flask")
    (directory / "main.py").write_text(
        HANDLER
        + APPS["flask"]
        + "from dataclasses import replace\n"
        + "other = unisights_flask(replace(options, path='/b', delivery=Durable('b.spool')))\n"
        + "app.register_blueprint(other)\n"
        + "app.register_blueprint(unisights_flask(UnisightsOptions(path='/c')))\n"
    )


def test_a_spool_that_is_missing_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """They are delivered; the command then says which one is missing, and exits with 1."""
    _write_several(tmp_path)
    fill(tmp_path / "events.spool", 2)
    finished = _deliver(tmp_path, "main:app", "--until-empty")
    assert finished.returncode == 1
    assert f"there is no spool {tmp_path / 'b.spool'}" in finished.stderr
    assert _handled(tmp_path) == {"site-0": 1, "site-1": 1}
    assert not (tmp_path / "b.spool").exists()


def test_a_spool_that_cannot_be_used_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """Likewise one that is damaged."""
    _write_several(tmp_path)
    fill(tmp_path / "events.spool", 2)
    fill(tmp_path / "b.spool", 1)
    with (tmp_path / "b.spool").open("r+b") as file:
        file.seek(100)  # After the header, the list of tables begins.
        file.write(bytes(1000))
    finished = _deliver(tmp_path, "main:app", "--until-empty")
    assert finished.returncode == 1
    assert str(tmp_path / "b.spool") in finished.stderr
    assert "Traceback" not in finished.stderr
    assert _handled(tmp_path) == {"site-0": 1, "site-1": 1}


def test_a_sidecar_waits_for_each_spool_on_its_own(tmp_path: Path) -> None:
    """It delivers what is there, and a spool that is made later as soon as it is there."""
    _write_several(tmp_path)
    fill(tmp_path / "events.spool", 1)
    with _sidecar(tmp_path, "main:app") as child:
        read_until(child, "Waiting for the spool")
        wait_for(lambda: _handled(tmp_path) == {"site-0": 1}, "the delivery of the first")
        fill(tmp_path / "b.spool", 2)
        wait_for(lambda: _handled(tmp_path) == {"site-0": 2, "site-1": 1}, "that of the second")
        output = stop(child)
        assert child.returncode == 0
    assert f"{tmp_path / 'b.spool'}: 2 delivered" in output


FACTORIES = """\
from flask import Flask
app = Flask("shop")
def with_argument(settings): return app
def failing(): raise ValueError("no URL")
async def make_async(): return app
"""

MISTAKES = [
    ("main", "APP must be MODULE:NAME"),
    ("nowhere:app", "there is no module nowhere"),
    ("main.nowhere:app", "there is no module main"),
    ("broken:app", "broken cannot be imported: No module named 'missing_library'"),
    ("main:nothing", "there is no 'nothing' in main"),
    ("main:options.nothing", "there is no 'nothing' in main"),
    ("main:options()", "cannot be called, it is a UnisightsOptions"),
    ("main:create_app", "if it makes the app, write 'main:create_app()'"),
    ("main:retry", "importing it makes no endpoint. It is a Retry"),
    ("background:options", "1 endpoint is there, but none with durable delivery"),
    ("main:options", "there is no spool"),
    ("./main:app", "write main:app"),
    ("../main:app", "write main:app"),
    (".main:app", "write main:app"),
    ("main.py:app", "write main:app"),
    ("shop/main.py:app", "write shop.main:app"),
    ("factories:app()", "if it is the app itself, write factories:app"),
    ("factories:with_argument()", "cannot be called without arguments"),
    ("factories:failing()", "calling it has raised ValueError: no URL ("),
    ("factories:make_async()", "it is async; name a function that returns the app itself"),
    ("failing:app", "failing cannot be imported: it has raised KeyError: 'URL' ("),
    ("exiting:app", "exiting cannot be imported: it has raised SystemExit: 3 ("),
]


@pytest.mark.usefixtures("empty_process")
@pytest.mark.parametrize(("target", "message"), MISTAKES)
def test_mistakes_are_named(
    target: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is missing is said, on one line, and no spool is made."""
    _write(tmp_path, "factory")
    (tmp_path / "broken.py").write_text("import missing_library\n")
    (tmp_path / "background.py").write_text(
        "from unisights import Background, UnisightsOptions\n"
        "options = UnisightsOptions(delivery=Background())\n"
    )
    (tmp_path / "factories.py").write_text(FACTORIES)
    (tmp_path / "failing.py").write_text("{}['URL']\n")
    (tmp_path / "exiting.py").write_text("raise SystemExit(3)\n")
    # This process keeps its handlers of signals.
    monkeypatch.setattr("unisights._cli.deliver._stop_at_signals", threading.Event)
    assert main(["deliver", target, "--until-empty"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not [*tmp_path.glob("*.spool*")]


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    """Views close their endpoints for it, as a system check reports it; the command does, too."""
    pytest.importorskip("django")
    (tmp_path / "urls.py").write_text(
        "from unisights.django import unisights_urls\nurlpatterns = unisights_urls('events')\n"
    )
    (tmp_path / "main.py").write_text(
        "from django.conf import settings\n"
        "settings.configure(ROOT_URLCONF='urls', INSTALLED_APPS=['unisights.django'],\n"
        "    UNISIGHTS={'delivry': 'background'})\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "app = get_wsgi_application()\n"
    )
    finished = _deliver(tmp_path, "main:app", "--until-empty")
    assert finished.returncode == 2
    assert "did you mean 'delivery'?" in finished.stderr.splitlines()[-1]


def test_it_shares_the_work_with_web_processes(tmp_path: Path) -> None:
    """Beside running workers, both deliver, and nothing is delivered twice."""
    host = Combination(GUNICORN, FLASK)
    skip_if_missing(host)
    spool = tmp_path / "events.spool"
    settings = Settings(
        options={
            "delivery": "durable",
            "spool": str(spool),
            "queue_size": 2,
            "max_concurrency": 1,
        },
        delay=0.05,
    )
    with starting(host, tmp_path, settings) as server:
        wait_for(lambda: spool.exists() and _owners(spool) == 1, "the start of the server")
        variable, told = "UNISIGHTS_TEST_SETTINGS", Path(f"/proc/{server.child.pid}/environ")
        env = dict(entry.split("=", 1) for entry in told.read_text().split("\0") if "=" in entry)
        app = "tests.servers.apps.flask_app:app"
        command = [PYTHON, "-m", "unisights", "deliver", app]
        with process(command, env={variable: env[variable]}) as sidecar:
            wait_for(lambda: _owners(spool) == 2, "the start of the sidecar")
            stored: set[str] = set()

            # Each looks once a second for what it can claim, and one alone needs two for all of it.
            def both_have_delivered() -> bool:
                labels = [f"site-{len(stored) + number}" for number in range(40)]
                with closing(Spool(spool)) as writing, writing.transaction():
                    writing.insert([new_row(label) for label in labels], [0] * len(labels))
                stored.update(labels)
                wait_for(lambda: server.labels("handled").keys() >= stored, "the delivery")
                return len({record["pid"] for record in server.records("handled")}) == 2

            wait_for(both_have_delivered, "the delivery by both")
            stop(sidecar)
            assert sidecar.returncode == 0
        assert set(server.labels("handled").values()) == {1}


def _owners(spool: Path) -> Any:
    try:
        return query(spool, "SELECT count(*) FROM owners")[0][0]
    except sqlite3.OperationalError:
        return 0  # The first of them is yet to make its tables.
