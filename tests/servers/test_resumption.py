"""What is in the spool is delivered without traffic, by processes that serve, and by no others."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.processes import DEADLINE, PYTHON, wait_for
from tests.servers.apps.settings import VARIABLE
from tests.servers.servers import (
    DJANGO,
    DJANGO_ASYNC,
    FLASK,
    FLASK_RUN,
    GRANIAN_WSGI,
    GUNICORN,
    HYPERCORN,
    PRELOAD,
    UVICORN,
    UWSGI,
    WAITRESS,
    Combination,
    Running,
    Server,
    Settings,
    skip_if_missing,
    starting,
    with_arguments,
)
from tests.spools import fill, query
from tests.support import ROOT
from unisights._delivery import resumption

FLASK_DEBUG = with_arguments(FLASK_RUN, "--debug", "flask-debug")
RELOADER = Server("runserver", "tests.servers.manage {app} runserver {port}", ("django",))
UWSGI_LAZY = with_arguments(UWSGI, "--lazy-apps", "uwsgi-lazy")
UWSGI_ALONE = Server(
    "uwsgi-alone",
    "tests.servers.uwsgi --http-socket 127.0.0.1:{port} --module {app} --enable-threads",
    ("pyuwsgi",),
)

# Whether a first process serves itself; else, it forks workers, or restarts a child that serves.
ALONE = {WAITRESS, FLASK_RUN, UWSGI_ALONE, UVICORN}

HOSTS = [
    Combination(GUNICORN, FLASK),
    Combination(PRELOAD, FLASK),
    Combination(WAITRESS, FLASK),
    Combination(FLASK_RUN, FLASK),
    Combination(FLASK_DEBUG, FLASK),
    Combination(UWSGI, FLASK),
    Combination(UWSGI_LAZY, FLASK),
    Combination(UWSGI_ALONE, FLASK),
    Combination(RELOADER, DJANGO),
    Combination(GRANIAN_WSGI, DJANGO),
    Combination(UVICORN, DJANGO_ASYNC),
    Combination(HYPERCORN, DJANGO_ASYNC),
]


def _settings(spool: Path) -> Settings:
    return Settings(options={"delivery": "durable", "spool": str(spool)})


def _wait_for(server: Running, labels: set[str]) -> None:
    def is_done() -> bool:
        assert server.child.poll() is None, f"it did not start:\n{server.output()}"
        return labels <= server.labels("handled").keys()

    try:
        wait_for(is_done, "the delivery")
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{server.output()}") from None


@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_a_server_delivers_without_traffic(host: Combination, tmp_path: Path) -> None:
    """What an earlier process has left is delivered by a process that serves, not by its parent."""
    skip_if_missing(host)
    spool = tmp_path / "events.spool"
    fill(spool, 2)
    with starting(host, tmp_path, _settings(spool)) as server:
        _wait_for(server, {"site-0", "site-1"})
        pids = {record["pid"] for record in server.records("handled")}
        assert (server.child.pid in pids) == (host.server in ALONE)
        assert server.labels("handled").total() == 2


@pytest.mark.parametrize("host", [Combination(PRELOAD, FLASK)], ids=str)
def test_a_worker_that_follows_another_delivers_too(host: Combination, tmp_path: Path) -> None:
    """The workers are replaced by new ones, by SIGHUP: what is stored then is delivered by them."""
    skip_if_missing(host)
    spool = tmp_path / "events.spool"
    fill(spool, 1)
    with starting(host, tmp_path, _settings(spool)) as server:
        _wait_for(server, {"site-0"})
        old = {*server.processes()} - {server.child.pid}
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: not old & {*server.processes()}, "the end of the old workers")
        # The number in the spool goes on, the label begins anew.
        fill(spool, 1)
        wait_for(lambda: server.labels("handled")["site-0"] == 2, "the delivery")
        (record,) = server.records("handled")[1:]
        assert record["pid"] not in {*old, server.child.pid}


LOOKS = """\
import time
from unisights._delivery import resumption
looks, look = [], resumption.is_serving
resumption.is_serving = lambda: looks.append(1) or look()
resumption._LOOK_SECONDS = 0.01
while len(looks) < 5: time.sleep(0.01)

print("looked")
"""

FORKING = """\
import os
import tests.servers.apps.flask_app
from unisights._delivery import resumption
if os.fork():
    os.wait()
    print("child")
"""

ONE_SHOTS = {
    "import": ("-c", "import tests.servers.apps.flask_app\n"),
    "fork": ("-c", FORKING),
    "flask shell": ("-m", "flask --app tests.servers.apps.flask_app:app shell"),
    "manage.py shell": ("-m", "tests.servers.manage tests.servers.apps.django_wsgi shell"),
}
"""What Python is to run. The shells read what follows from their input."""


def _run(directory: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Python with the settings of an app whose spool holds two payloads."""
    spool = directory / "events.spool"
    fill(spool, 2)
    told = {**asdict(_settings(spool)), "directory": str(directory)}
    return subprocess.run(
        [PYTHON, *arguments],
        cwd=ROOT,
        input=LOOKS,
        env={**os.environ, VARIABLE: json.dumps(told), "HANDLED": str(directory / "handled")},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


@pytest.mark.parametrize("name", ONE_SHOTS)
def test_a_process_that_does_not_serve_delivers_nothing(name: str, tmp_path: Path) -> None:
    """Shells, management commands, scripts and their forks import the app, and leave the spool."""
    pytest.importorskip("django" if "manage" in name else "flask")
    option, what = ONE_SHOTS[name]
    finished = _run(tmp_path, [option, *([what + LOOKS] if option == "-c" else what.split())])
    assert "looked" in finished.stdout, finished.stderr
    assert query(tmp_path / "events.spool", "SELECT count(*) FROM waiting WHERE owner = 0") == [
        (2,)
    ]
    assert not (tmp_path / "handled").exists()
    assert not [*tmp_path.glob("*-owner-*")]


CLOSED = """\
import os
from tests.servers.apps.flask_app import app
from unisights._delivery import resumption
(blueprint,) = app.blueprints.values()
blueprint.unisights.open()
blueprint.unisights.drain(30)
blueprint.unisights.close()
from pathlib import Path
from tests.spools import fill
fill(blueprint.unisights.spool, 1)
if not os.fork():
    resumption.is_serving = lambda: True
    while len(Path(os.environ["HANDLED"]).read_text().splitlines()) < 3: time.sleep(0.01)
    blueprint.unisights.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


def test_a_worker_that_is_forked_after_a_close_delivers(tmp_path: Path) -> None:
    """The endpoint was drained and closed in the first process: the child is open again."""
    pytest.importorskip("flask")
    finished = _run(tmp_path, ["-c", "import time\n" + CLOSED])
    assert finished.returncode == 0, finished.stderr
    assert query(tmp_path / "events.spool", "SELECT count(*) FROM payloads") == [(0,)]


class _Delivery:
    """Counts how often it is resumed."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.resumed = 0

    @property
    def has_to_resume(self) -> bool:
        return not self.resumed

    def resume(self) -> None:
        if self.failures:
            self.failures -= 1
            raise resumption.UnisightsError("no such file")
        self.resumed += 1


@pytest.fixture
def serves(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says whether this process serves."""
    answer = [False]
    monkeypatch.setattr(resumption, "is_serving", lambda: answer[0])
    for name in ("_FIRST_LOOK", "_LOOK_SECONDS"):
        monkeypatch.setattr(resumption, name, 0.01)

    def set_answer(new: bool) -> None:
        answer[0] = new

    return set_answer


def _exit_code_of(child: Callable[[], Any]) -> int:
    pid = os.fork()
    if not pid:
        try:
            os._exit(0 if child() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_only_a_child_of_a_process_that_does_not_serve_is_watched(
    serves: Callable[[bool], None],
) -> None:
    """A server's first process forks workers, which deliver; what a worker forks does not."""
    watched = resumption._Resumption()
    delivery = _Delivery()
    watched.add(delivery)

    def serve_in_child() -> bool:
        serves(True)
        wait_for(lambda: delivery.resumed, "the child's delivery")
        # A worker's helper, such as one of multiprocessing.
        return _exit_code_of(lambda: not watched._is_watching) == 0

    assert _exit_code_of(serve_in_child) == 0
    assert not delivery.resumed


def test_a_spool_that_cannot_be_opened_is_tried_again(
    serves: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Each failure is logged; other spools are opened meanwhile, and endpoints may come later."""
    serves(True)
    watched = resumption._Resumption()
    failing, other = _Delivery(failures=3), _Delivery()
    watched.add(failing)
    watched.add(other)
    wait_for(lambda: failing.resumed and other.resumed, "the opening of both")
    wait_for(lambda: not watched._is_watching, "the end of watching")
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    later = _Delivery()
    watched.add(later)
    wait_for(lambda: later.resumed, "the opening of a third one")
    assert other.resumed == 1


def test_a_lifespan_that_never_begins_is_not_waited_for(
    serves: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a lifespan is to open a spool, it has a while for that."""
    serves(True)
    watched = resumption._Resumption()
    monkeypatch.setattr(resumption, "_resumption", watched)
    late, early = _Delivery(), _Delivery()
    resumption.resume_when_serving(late, has_lifespan=True)
    resumption.resume_when_serving(early, has_lifespan=False)
    wait_for(lambda: early.resumed, "the opening of the one without a lifespan")
    assert not late.resumed
    assert watched._serving_since is not None
    watched._serving_since -= resumption.LIFESPAN_SECONDS
    wait_for(lambda: late.resumed, "the opening of the other one")


def test_nothing_is_watched_for_endpoints_that_are_gone(serves: Callable[[bool], None]) -> None:
    """The thread ends once no endpoint is left, or after a while."""
    watched = resumption._Resumption()
    watched.add(_Delivery())
    wait_for(lambda: not watched._is_watching, "the end of watching")
