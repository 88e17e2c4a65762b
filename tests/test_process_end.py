"""The end of a process in which several endpoints are open."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.processes import DEADLINE, PYTHON
from tests.support import ROOT
from unisights._runtime import shutdown

APPS = """\
import os, signal, sys, threading, time
from flask import Flask
from tests.adapters.drivers import Call, call_wsgi
from tests.support import make_body
from unisights import Background, Durable, UnisightsOptions
from unisights.flask import unisights_flask

def say(*words):
    os.write(1, " ".join(words).encode() + b"\\n")  # print would mix the lines of several threads

class Handler:
    def __init__(self, name, work=lambda: None):
        self.name, self.work = name, work
    def __call__(self, payload, request):
        self.work()
        say(self.name, "handled")
    def close(self):
        say(self.name, "closed")

def serve(name, delivery, work=lambda: None):
    app = Flask("app")
    app.register_blueprint(blueprint := unisights_flask(UnisightsOptions(
        handler=Handler(name, work), delivery=delivery,
        on_error=lambda *_: say(name, "undelivered"),
    )))
    call_wsgi(app, Call(headers={"content-type": "application/json"}, chunks=(make_body(),)))
    return blueprint
"""


def _run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


ENDS = {
    "the interpreter's": "",
    "by SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)\n",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_longest_timeout_holds_for_the_process(end: str) -> None:
    """An endpoint whose own `drain_timeout` is shorter is given the time that the process takes."""
    finished = _run(
        APPS + 'serve("long", Background(drain_timeout=20))\n'
        'serve("short", Background(drain_timeout=0.01), lambda: time.sleep(1))\n' + end
    )
    lines = finished.stdout.splitlines()
    assert "short handled" in lines, finished.stderr
    assert "short undelivered" not in lines


THINGS = """\
import os, signal, threading, time
from unisights._runtime.shutdown import close_at_exit, drain_at_signal, leave

barrier = threading.Barrier(3)

class Thing:
    def __init__(self, drain_timeout):
        self.drain_timeout = drain_timeout
    def close(self, seconds):
        barrier.wait(20)
        os.write(1, b"closed %d\\n" % seconds)  # print would mix the lines of several threads
    drain_at_signal = close
    def finish(self):
        os.write(1, b"finished\\n")

things = [Thing(seconds) for seconds in (1, 3, 2, 99)]
for thing in things:
    close_at_exit(thing)
    drain_at_signal(thing, only_unhandled=True)
leave(things.pop())
"""


def test_things_are_closed_at_the_same_time() -> None:
    """Under the longest deadline of those that are open; afterwards all are finished."""
    finished = _run(THINGS)
    assert finished.stdout.splitlines() == ["closed 3"] * 3 + ["finished"] * 3, finished.stderr


def test_things_are_drained_at_the_same_time() -> None:
    """Likewise before a signal, which then ends the process."""
    finished = _run(THINGS + "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)\n")
    assert finished.stdout.splitlines() == ["closed 3"] * 3, finished.stderr
    assert finished.returncode == -signal.SIGTERM


def test_handlers_are_closed_last(tmp_path: Path) -> None:
    """After all endpoints of the process were drained; those that the app has closed are not."""
    finished = _run(
        APPS + 'serve("inline", "inline")\n'
        'serve("closed", Background()).unisights.close()\n'
        "ending = threading.Event()\n"
        "def work():\n"
        "    ending.wait(20)\n"
        "    time.sleep(0.2)\n"
        'serve("a", Background(), work)\n'
        'serve("b", Durable(sys.argv[1])).unisights.drain(20)\n'
        'say("end")\n'
        "ending.set()\n",
        str(tmp_path / "spool.sqlite3"),
    )
    lines = finished.stdout.splitlines()
    before, after = lines[: lines.index("end")], lines[lines.index("end") + 1 :]
    assert {"inline handled", "closed handled", "closed closed"} <= {*before}
    assert after.index("a handled") < after.index("a closed")
    assert after.index("a handled") < after.index("inline closed")
    assert "b closed" in after
    assert "closed closed" not in after


class _Thing:
    """What takes a while to be closed."""

    def __init__(self, drain_timeout: float) -> None:
        self.drain_timeout = drain_timeout

    def drain_at_signal(self, seconds: float) -> None:
        """Do nothing."""

    def close(self, seconds: float) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


def test_an_app_closes_its_endpoints_under_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest holds for those that were open together and are closed without a pause."""
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    at_exit = shutdown._AtExit()
    monkeypatch.setattr(shutdown, "_before_exit", lambda callback: None)
    things = [_Thing(seconds) for seconds in (2.0, 5.0, 3.0)]
    for thing in things:
        at_exit.add(thing)
    left = []
    for thing in things:
        with at_exit.time_left(thing) as seconds:
            left.append(seconds)
            now += 4.0
        at_exit.discard(thing)
    assert left == [5.0, 1.0, 0.0]
    # What was not open then has a deadline of its own.
    with at_exit.time_left(_Thing(2.0)) as seconds:
        assert seconds == 2.0
    # So has what is closed later.
    for thing in things:
        at_exit.add(thing)
    with at_exit.time_left(things[0]) as seconds:
        assert seconds == 5.0
    at_exit.discard(things[0])
    now += shutdown.GAP_SECONDS + 0.1
    with at_exit.time_left(things[2]) as seconds:
        assert seconds == 5.0
