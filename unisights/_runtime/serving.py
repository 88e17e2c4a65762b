"""Whether this process serves requests: as a web server's worker, or as its only process.

WSGI has no way to tell an app that a server begins. An import is no sign of it either: first
processes that fork workers, reloaders, management commands, shells, tests and task queues import
apps as well. But the servers are known, and the stack of a process that serves shows the function
in which its server waits for requests. A server that is not listed here is not recognised.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_Call = tuple[str, str]
"""A function that runs: its module, and its name."""

_Loop = tuple[str, str, str | None]
"""A function in which a server serves: its module, its name, and a function that it calls."""

_IN_MAIN_THREAD: set[_Loop] = {
    ("gunicorn.workers.base", "init_process", "run"),
    ("werkzeug.serving", "run_simple", "serve_forever"),  # `flask run`
    ("werkzeug._reloader", "run_with_reloader", "run"),  # its reloader's child
    ("waitress.server", "run", None),
    ("cheroot.server", "serve", None),
    ("uvicorn.server", "run", None),
    ("hypercorn.asyncio.run", "_run", None),
    ("hypercorn.trio.run", "trio_worker", None),
    ("daphne.server", "run", None),
    ("granian.server.mp", "_spawn_asgi_worker", None),
    ("granian.server.mp", "_spawn_asgi_lifespan_worker", None),
    ("granian.server.mp", "_spawn_wsgi_worker", None),
}
"""They do not count in other threads, where tests run such servers, often for something else."""

_IN_ANY_THREAD: set[_Loop] = {
    # `runserver`: in its reloader's child, the main thread watches files.
    ("django.core.servers.basehttp", "run", None),
}
"""They count in any thread."""

_IMPORT = "importlib._bootstrap"


def is_serving() -> bool:
    """Return whether a server serves requests in this process, with an app that is loaded.

    Without the GIL, it is always False: the other threads would go on while their frames are read.
    """
    if not _has_gil():
        return False
    stacks = _stacks()
    main = stacks.get(threading.main_thread().ident or 0, [])
    if _is_in(_IN_MAIN_THREAD, main):
        return True
    if any(_is_in(_IN_ANY_THREAD, calls) for calls in stacks.values()):
        return True
    return _is_embedded() and not any(_is_importing(calls) for calls in stacks.values())


def is_called_by_loop() -> bool:
    """Return whether the present thread runs inside a server's loop, as requests may."""
    return _is_in(_IN_MAIN_THREAD | _IN_ANY_THREAD, [*_calls(sys._getframe())])  # noqa: SLF001


def will_fork() -> bool:
    """Return whether the app is being loaded by a server's first process, which forks workers."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is not None:
        return bool(uwsgi.masterpid()) and not (uwsgi.worker_id() or uwsgi.mule_id())
    modules = {module for module, _name in _calls(sys._getframe())}  # noqa: SLF001
    return "gunicorn.arbiter" in modules and "gunicorn.workers.base" not in modules


def _has_gil() -> bool:
    """Whether only one thread runs Python code at a time."""
    is_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return is_enabled()


def _stacks() -> dict[int, list[_Call]]:
    """The stacks of all threads, by their identifiers."""
    # No variable holds the frames: one of them is this function's own, which would refer to itself.
    return {
        thread: list(_calls(frame))
        for thread, frame in sys._current_frames().items()  # noqa: SLF001
    }


def _calls(frame: FrameType | None) -> Iterator[_Call]:
    """The functions of a stack, the innermost first."""
    while frame is not None:
        yield str(frame.f_globals.get("__name__")), frame.f_code.co_name
        frame = frame.f_back


def _is_in(loops: set[_Loop], calls: list[_Call]) -> bool:
    called: str | None = None
    for module, name in calls:
        if module == _IMPORT:
            return False  # The server has begun, and is loading the app.
        if {(module, name, None), (module, name, called)} & loops:
            return True
        called = name
    return False


def _is_importing(calls: list[_Call]) -> bool:
    return any(module == _IMPORT for module, _name in calls)


def _is_embedded() -> bool:
    """Whether this interpreter is part of a server that is not written in Python."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is not None:
        return bool(uwsgi.worker_id())
    # mod_wsgi makes this module in the processes that serve. None other can import it.
    return hasattr(sys.modules.get("mod_wsgi"), "process_group")
