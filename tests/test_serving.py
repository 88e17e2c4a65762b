"""How a process is seen to serve; on real servers, see `servers/test_resumption.py`."""

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.processes import wait_for
from unisights._runtime import serving


def _werkzeug() -> tuple[Callable[[], None], Callable[[], None]]:
    made = pytest.importorskip("werkzeug.serving").make_server("127.0.0.1", 0, lambda *_: [])
    return made.serve_forever, made.shutdown


def _uvicorn() -> tuple[Callable[[], None], Callable[[], None]]:
    uvicorn = pytest.importorskip("uvicorn")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Serve nothing."""

    made = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))

    def stop() -> None:
        wait_for(lambda: made.started, "the start")
        made.should_exit = True

    return made.run, stop


@contextlib.contextmanager
def _in_thread(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        stop()
        thread.join()


@pytest.mark.parametrize("make", [_werkzeug, _uvicorn])
def test_a_server_in_another_thread_is_not_the_processs(make: Callable[[], Any]) -> None:
    """Tests run servers in threads, such as for a stand-in of another service."""
    with _in_thread(*make()):
        assert not serving.is_serving()


def test_looking_leaves_nothing_to_the_garbage_collector() -> None:
    """A frame that refers to itself would keep whatever the function's callers hold."""
    serving.is_serving()
    gc.collect()
    gc.disable()
    try:
        serving.is_serving()
        serving.will_fork()
        serving.is_called_by_loop()
        assert gc.collect() == 0
    finally:
        gc.enable()


def _call_in(module: str, name: str, body: str, **names: Any) -> Any:
    """Call a function of a made-up module."""
    space = {"__name__": module, **names}
    exec(f"def {name}():\n    return {body}\n", space)  # noqa: S102  # our own
    return space[name]


def test_loading_the_app_is_not_serving() -> None:
    """Servers that import the app in their loop do not serve yet."""
    serve = _call_in("uvicorn.server", "run", "call()", call=serving.is_serving)
    assert serve()
    load = _call_in("importlib._bootstrap", "_find_and_load", "call()", call=serving.is_serving)
    assert not _call_in("uvicorn.server", "run", "call()", call=load)()
    # A server that was started by an import serves.
    assert _call_in("importlib._bootstrap", "_find_and_load", "call()", call=serve)()


def test_other_threads_are_left_alone_without_the_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their frames change while they are read, which may end the process."""
    serve = _call_in("uvicorn.server", "run", "call()", call=serving.is_serving)
    assert serve()
    monkeypatch.setattr("sys._is_gil_enabled", lambda: False, raising=False)
    monkeypatch.setattr("sys._current_frames", lambda: pytest.fail("their frames were read"))
    assert not serve()


def test_gunicorns_first_process_forks_and_its_worker_serves() -> None:
    """Both load the app: one with `--preload`, the other without."""
    preload = _call_in("gunicorn.arbiter", "setup", "call()", call=serving.will_fork)
    assert preload()
    worker = _call_in("gunicorn.workers.base", "load_wsgi", "call()", call=serving.will_fork)
    assert not _call_in("gunicorn.arbiter", "spawn_worker", "call()", call=worker)()
    assert not serving.will_fork()
    run = _call_in("gunicorn.workers.sync", "run", "call()", call=serving.is_serving)
    assert _call_in("gunicorn.workers.base", "init_process", "call()", call=run)()
    load = _call_in("gunicorn.util", "import_app", "call()", call=serving.is_serving)
    assert not _call_in("gunicorn.workers.base", "init_process", "call()", call=load)()


class _UWSGI:
    """The module of uWSGI, in one of its processes."""

    def __init__(self, worker: int, mule: int = 0, master: int = 1) -> None:
        self.worker_id = lambda: worker
        self.mule_id = lambda: mule
        self.masterpid = lambda: master


@pytest.mark.parametrize(
    ("process", "will_fork", "is_serving"),
    [
        (_UWSGI(0), True, False),
        (_UWSGI(0, master=0), False, False),
        (_UWSGI(1), False, True),
        (_UWSGI(1, master=0), False, True),
        (_UWSGI(0, mule=1), False, False),
    ],
)
def test_processes_of_uwsgi(
    process: _UWSGI, will_fork: bool, is_serving: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first process forks; workers serve; mules do neither."""
    monkeypatch.setitem(__import__("sys").modules, "uwsgi", process)  # type: ignore[arg-type]
    assert (serving.will_fork(), serving.is_serving()) == (will_fork, is_serving)


def test_mod_wsgi(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes a module in its processes; the package of that name, which starts it, differs."""
    import sys
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "mod_wsgi", SimpleNamespace())  # type: ignore[arg-type]
    assert not serving.is_serving()
    there = SimpleNamespace(process_group="")
    monkeypatch.setitem(sys.modules, "mod_wsgi", there)  # type: ignore[arg-type]
    assert serving.is_serving()
