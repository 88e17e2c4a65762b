"""Whether this process serves requests: as a web server's worker, or as its only process.

WSGI has no way to tell an app that a server begins. An import is no sign of it either: first
processes that fork workers, reloaders, management commands, shells, tests and task queues import
apps as well. But the servers are known, and the stack of a process that serves shows the function
in which its server waits for requests. A server that is not listed here is not recognised.
"""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

_LOOPS = {
    ("gunicorn.workers.base", "init_process", "run"),
    ("werkzeug.serving", "serve_forever", None),  # `flask run`; its reloader's child as well
    ("django.core.servers.basehttp", "run", None),  # `runserver`, likewise
    ("waitress.server", "run", None),
    ("cheroot.server", "serve", None),
    ("uvicorn.server", "run", None),
    ("hypercorn.asyncio.run", "_run", None),
    ("hypercorn.trio.run", "trio_worker", None),
    ("daphne.server", "run", None),
    *(
        (f"granian.server.{module}", f"_spawn_{interface}_worker", None)
        for module in ("mp", "mt")
        for interface in ("asgi", "asgi_lifespan", "wsgi")
    ),
}
"""The functions in which servers serve: module and name, and the function that it has to call."""

_IMPORT = "importlib._bootstrap"

_Call = tuple[str, str]
"""A function that runs: its module, and its name."""


def is_serving() -> bool:
    """Return whether a server serves requests in this process, with an app that is loaded."""
    stacks = [list(_calls(frame)) for frame in sys._current_frames().values()]  # noqa: SLF001
    if any(map(_is_in_loop, stacks)):
        return True
    return _is_embedded() and not any(_is_importing(calls) for calls in stacks)


def is_called_by_loop() -> bool:
    """Return whether the present thread runs inside a server's loop, as requests may."""
    return _is_in_loop([*_calls(sys._getframe())])  # noqa: SLF001


def will_fork() -> bool:
    """Return whether the app is being loaded by a server's first process, which forks workers."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is not None:
        return bool(uwsgi.masterpid()) and not (uwsgi.worker_id() or uwsgi.mule_id())
    modules = {module for module, _name in _calls(sys._getframe())}  # noqa: SLF001
    return "gunicorn.arbiter" in modules and "gunicorn.workers.base" not in modules


def _calls(frame: FrameType | None) -> Iterator[_Call]:
    """The functions of a stack, the innermost first."""
    while frame is not None:
        yield str(frame.f_globals.get("__name__")), frame.f_code.co_name
        frame = frame.f_back


def _is_in_loop(calls: list[_Call]) -> bool:
    called: str | None = None
    for module, name in calls:
        if module == _IMPORT:
            return False  # The server has begun, and is loading the app.
        if {(module, name, None), (module, name, called)} & _LOOPS:
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
