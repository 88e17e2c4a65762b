"""The end of a process in which several endpoints are open."""

import asyncio
import signal
import threading
from pathlib import Path

import pytest

from tests.processes import DEADLINE, run_python
from tests.spools import query
from unisights import Background, Inline, UnisightsOptions
from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._runtime import ending, shutdown
from unisights._runtime.ending import TimeLeft

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


ENDS = {
    "the interpreter's": "",
    "by SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)\n",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_longest_timeout_holds_for_the_process(end: str) -> None:
    """An endpoint whose own `drain_timeout` is shorter is given the time that the process takes."""
    finished = run_python(
        APPS + 'serve("long", Background(drain_timeout=20))\n'
        'serve("short", Background(drain_timeout=0.01), lambda: time.sleep(1))\n' + end
    )
    lines = finished.stdout.splitlines()
    assert "short handled" in lines, finished.stderr
    assert "short undelivered" not in lines


THINGS = """\
import os, signal, threading, time
from unisights._runtime.shutdown import close_at_exit, leave

barrier = threading.Barrier(3)

class Thing:
    def __init__(self, drain_timeout):
        self.drain_timeout = drain_timeout
        self.name = f"/events-{drain_timeout}"
    def close(self, left):
        barrier.wait(20)
        # print would mix the lines of several threads.
        os.write(1, b"closed %d\\n" % round(left.drain))
    def drain_at_signal(self, left):
        barrier.wait(20)
        os.write(1, b"drained %d\\n" % round(left.drain))
    def finish(self, left):
        os.write(1, b"finished\\n")

things = [Thing(seconds) for seconds in (1, 3, 2, 99)]
for thing in things:
    close_at_exit(thing)
leave(things.pop())
"""

ENDED = ["closed 3"] * 3 + ["finished"] * 3
ENDED_BY_SIGNAL = ["drained 3"] * 3 + ["finished"] * 3 + ["closed 0"] * 3


def test_things_are_closed_at_the_same_time() -> None:
    """Under the longest deadline of those that are open; afterwards all are finished."""
    finished = run_python(THINGS)
    assert finished.stdout.splitlines() == ENDED, finished.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_things_are_drained_at_the_same_time(number: signal.Signals) -> None:
    """Likewise before a signal that nobody handles, which then ends the process."""
    finished = run_python(
        "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        + THINGS
        + f"os.kill(os.getpid(), signal.{number.name})\ntime.sleep(30)\n"
    )
    assert finished.stdout.splitlines() == ENDED_BY_SIGNAL, finished.stderr
    assert finished.returncode == -number


def test_what_an_app_means_by_sighup_is_its_own() -> None:
    """A handler, such as one that opens a log file anew, or `nohup`, which ignores it, is kept."""
    finished = run_python(
        "import signal\n"
        "signal.signal(signal.SIGHUP, lambda *_: os.write(1, b'reopened\\n'))\n"
        "signal.signal(signal.SIGQUIT, signal.SIG_IGN)\n"
        + THINGS
        + "from unisights._runtime.shutdown import drain_at_signal\n"
        "drain_at_signal(things[0])\n"
        "os.kill(os.getpid(), signal.SIGQUIT)\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "os.write(1, b'goes on\\n')\n"
    )
    assert finished.stdout.splitlines() == ["reopened", "goes on", *ENDED], finished.stderr


def test_handlers_are_closed_last(tmp_path: Path) -> None:
    """After all endpoints of the process were drained; those that the app has closed are not."""
    finished = run_python(
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


def test_what_hangs_is_left_behind() -> None:
    """The process ends even if something does not keep to the time that it is given."""
    finished = run_python(
        THINGS.replace("(1, 3, 2, 99)", "(0, 0.1, 0, 99)")
        .replace("import os", "from unisights._runtime import ending\nimport os")
        .replace("barrier.wait(20)", "time.sleep(0 if self.drain_timeout else 100)")
        .replace("class Thing", "ending.REPORT_SECONDS = ending.CLOSE_SECONDS = 0.1\n\nclass Thing")
    )
    assert finished.stdout.splitlines() == ["closed 0"] + ["finished"] * 3, finished.stderr
    assert "did not end in time: /events-0, /events-0 (phase: drain)" in finished.stderr


def test_the_log_tells_which_endpoint_hangs_and_where() -> None:
    """The handler, `on_error`, or the handler's `close`; each endpoint by its path and handler."""
    finished = run_python(
        "from unisights._runtime import ending\n"
        "ending.CLOSE_SECONDS = 0.2\n"
        "from unisights._delivery import work_queue\n" + APPS + "ending.REPORT_SECONDS = 0.2\n"
        "hang = threading.Event().wait\n"
        "class Closing(Handler):\n"
        "    def close(self): hang(60)\n"
        "class Hanging(Handler):\n"
        "    def __call__(self, payload, request): hang(60)\n"
        "def serve(path, handler):\n"
        "    app = Flask('app')\n"
        "    app.register_blueprint(unisights_flask(UnisightsOptions(path=path, handler=handler,\n"
        "        delivery=Background(drain_timeout=0.2), on_error=lambda *_: hang(60))))\n"
        "    call = Call(path=path, headers={'content-type': 'application/json'},\n"
        "        chunks=(make_body(),))\n"
        "    assert call_wsgi(app, call).status == 202\n"
        "serve('/first', Closing('first'))\n"
        "serve('/second', Hanging('second'))\n"
    )
    lines = finished.stderr.splitlines()
    assert (
        "/second (handler __main__.Hanging): payloads that were not handled before the end: 1"
        in (lines)
    )
    assert "/second (handler __main__.Hanging): on_error has not ended in time" in lines
    assert "the close of the handler __main__.Closing failed" in lines


def test_signals_are_deferred_from_other_threads() -> None:
    """Servers that serve requests in threads leave SIGTERM to the system; it is deferred too."""
    begin, add, end = THINGS.partition("for thing in things:")
    finished = run_python(
        begin
        + "def add():\n    "
        + (add + end).replace("\n", "\n    ")
        + "\nthread = threading.Thread(target=add)\nthread.start()\nthread.join()\n"
        "assert callable(signal.getsignal(signal.SIGTERM))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)\n"
    )
    assert finished.stdout.splitlines() == ENDED_BY_SIGNAL, finished.stderr
    assert finished.returncode == -signal.SIGTERM


def test_a_child_that_has_nothing_ends_as_if_it_were_no_child_of_ours() -> None:
    """Such as the workers of `multiprocessing.Pool`, which it terminates while they hold locks."""
    finished = run_python(
        THINGS + "deferred = signal.getsignal(signal.SIGTERM)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    found = [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]\n"
        "    os._exit(found != [signal.SIG_DFL, signal.default_int_handler])\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "assert signal.getsignal(signal.SIGTERM) is deferred\n",
        check=True,
    )
    assert finished.stdout.splitlines() == ENDED, finished.stderr


def test_signals_that_are_handled_in_c_are_left_alone() -> None:
    """Such as by uWSGI. Python believes that nobody handles them."""
    finished = run_python(
        "import ctypes, signal\n"
        "handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: None)\n"
        "ctypes.CDLL(None).signal(signal.SIGTERM, handler)\n"
        + THINGS
        + "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
    )
    assert finished.stdout.splitlines() == ENDED, finished.stderr


def test_pythons_without_ctypes_defer_in_the_main_thread() -> None:
    """Where Python was built without libffi, only threads besides the main one cannot."""
    finished = run_python(
        "import sys\nsys.modules['ctypes'] = None\n"
        + THINGS
        + "threading.Thread(target=close_at_exit, args=(things[0],)).start()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)\n"
    )
    assert finished.stdout.splitlines() == ENDED_BY_SIGNAL, finished.stderr
    assert finished.returncode == -signal.SIGTERM


def test_what_hangs_does_not_hold_up_the_end_of_the_app(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a lifespan ends, an endpoint that does not keep to its time is left behind as well."""
    monkeypatch.setattr(ending, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(ending, "CLOSE_SECONDS", 0.1)
    goes_on = threading.Event()
    endpoint = AsyncEndpoint(UnisightsOptions(delivery=Background(drain_timeout=0.1)), Inline())
    monkeypatch.setattr(endpoint.delivery, "close", lambda left: goes_on.wait(DEADLINE))

    async def live() -> None:
        async with endpoint.lifespan():
            pass

    asyncio.run(live())
    assert "did not end in time: /events (phase: drain)" in caplog.text
    goes_on.set()


def test_what_was_delivered_before_a_signal_is_not_delivered_again(tmp_path: Path) -> None:
    """The spool is closed before the signal ends the process, with the outcome of what ran."""
    spool = tmp_path / "spool.sqlite3"
    finished = run_python(
        APPS + "begun = threading.Event()\n"
        "def work():\n"
        "    begun.set()\n"
        "    time.sleep(0.3)\n"
        'serve("a", Durable(sys.argv[1]), work)\n'
        "begun.wait(20)\n" + ENDS["by SIGTERM"],
        str(spool),
    )
    assert finished.stdout.splitlines() == ["a handled", "a closed"], finished.stderr
    assert query(spool, "SELECT count(*) FROM waiting") == [(0,)]
    assert query(spool, "SELECT count(*) FROM owners") == [(0,)]


class _Thing:
    """What takes a while to be closed."""

    def __init__(self, drain_timeout: float, *, is_idle: bool = False) -> None:
        self.name = "a thing"
        self.drain_timeout = drain_timeout
        self.has_to_report = self.has_to_close = not is_idle

    def drain_at_signal(self, left: TimeLeft) -> None:
        """Do nothing."""

    def close(self, left: TimeLeft) -> None:
        """Do nothing."""

    def finish(self, left: TimeLeft) -> None:
        """Do nothing."""


class _Clock:
    """Shows the time that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """A clock that stands still; nothing is registered for the end of this process."""
    monkeypatch.setattr(shutdown, "_before_exit", lambda callback: None)
    return _Clock(monkeypatch)


def test_an_app_closes_its_endpoints_under_one_deadline(clock: _Clock) -> None:
    """The longest holds for those that were open together and are closed without a pause."""
    process_end = shutdown._ProcessEnd()
    things = [_Thing(seconds) for seconds in (2.0, 5.0, 3.0)]
    for thing in things:
        process_end.add(thing)
    drains = []
    for thing in things:
        with process_end.time_left(thing) as left:
            drains.append(left.drain)
            clock.now += 4.0
        process_end.discard(thing)
    assert drains == [5.0, 1.0, 0.0]
    # What was not open then has a deadline of its own.
    with process_end.time_left(_Thing(2.0)) as left:
        assert left.drain == 2.0
    # So has what is closed later.
    for thing in things:
        process_end.add(thing)
    with process_end.time_left(things[0]) as left:
        assert left.drain == 5.0
    process_end.discard(things[0])
    clock.now += ending.GAP_SECONDS + 0.1
    with process_end.time_left(things[2]) as left:
        assert left.drain == 5.0


@pytest.mark.parametrize("count", [1, 3, 10])
def test_the_end_has_one_bound(clock: _Clock, count: int) -> None:
    """If everything hangs, the end takes as long with many endpoints, closed in turn, as with one.

    Each has some time of its own to report what was not handled, and to close its handler.
    """
    process_end = shutdown._ProcessEnd()
    things = [_Thing(2.0) for _ in range(count)]
    for thing in things:
        process_end.add(thing)
    began = clock.now
    for thing in things:
        with process_end.time_left(thing) as left:
            assert left.report == pytest.approx(ending.REPORT_SECONDS / count)
            assert left.close == pytest.approx(ending.CLOSE_SECONDS / count)
            clock.now += left.drain + left.report + left.close
        process_end.discard(thing)
    total = 2.0 + ending.REPORT_SECONDS + ending.CLOSE_SECONDS
    assert clock.now - began == pytest.approx(total)


def test_what_one_endpoint_does_not_need_is_the_others(clock: _Clock) -> None:
    """Time that was not used goes to those that are closed later."""
    process_end = shutdown._ProcessEnd()
    things = [_Thing(2.0), _Thing(2.0)]
    for thing in things:
        process_end.add(thing)
    with process_end.time_left(things[0]):
        clock.now += 0.5
    with process_end.time_left(things[1]) as left:
        assert left == TimeLeft(1.5, ending.REPORT_SECONDS, ending.CLOSE_SECONDS)


def test_what_has_nothing_to_do_takes_no_time(clock: _Clock) -> None:
    """An endpoint that has to report gets all the time if the others are idle."""
    process_end = shutdown._ProcessEnd()
    busy = _Thing(2.0)
    for thing in (busy, _Thing(2.0, is_idle=True), _Thing(2.0, is_idle=True)):
        process_end.add(thing)
    with process_end.time_left(busy) as left:
        assert left == TimeLeft(2.0, ending.REPORT_SECONDS, ending.CLOSE_SECONDS)


def test_what_a_signal_began_goes_on_when_the_server_closes(clock: _Clock) -> None:
    """What was waited for before the server got its signal is not waited for as long again."""
    process_end = shutdown._ProcessEnd()
    thing = _Thing(3.0)
    process_end.add(thing)
    process_end.add_deferring(thing)
    process_end.drain_deferring()
    clock.now += 3.0 + ending.GAP_SECONDS + 1.0
    with process_end.time_left(thing) as left:
        assert left.drain == 0.0
    # A signal need not end the process: a later end has a time of its own.
    clock.now += 100.0
    with process_end.time_left(thing) as left:
        assert left.drain == 3.0
