"""What all the apps are made from: options, handlers and records, set by the environment."""

import asyncio
import functools
import hashlib
import itertools
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.adapters.drivers import Call, call_asgi, call_wsgi
from tests.options import make_options as make_flat_options
from tests.support import make_body
from unisights import UnisightsOptions
from unisights._runtime.callables import is_async as is_async_callable
from unisights.sinks._url_schemes import sink_from_url
from unisights.stats import Counted, Counters

VARIABLE = "UNISIGHTS_TEST_SETTINGS"
"""The environment variable that holds, in JSON, a `Settings` and the records' directory."""

FAILING = "fail"
"""The handlers fail for payloads of this asset_id."""

CHILD_SECONDS = 1.5
"""How long a forked child serves."""

SETTINGS: dict[str, Any] = json.loads(os.environ.get(VARIABLE, "{}"))


def make_options() -> UnisightsOptions:
    """The options that the environment asks for."""
    if SETTINGS["handler"] == "sink":
        handler = sink_from_url(SETTINGS["sink"])
    else:
        handler = _HANDLERS[SETTINGS["handler"]]
    options = SETTINGS["options"]
    make = make_flat_options if "delivery" in options else UnisightsOptions
    return make(handler=handler, on_error=_on_error, **options)


def _record(name: str, payload: Any) -> None:
    """Append a line to a record file; one write, so that processes may share it."""
    line = {
        "label": payload.data.asset_id,
        "digest": hashlib.sha256(payload.raw).hexdigest(),
        "content_id": payload.content_id,
        "pid": os.getpid(),
    }
    _append(Path(SETTINGS["directory"]) / name, json.dumps(line).encode() + b"\n")


def _append(path: Path, line: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line)
    finally:
        os.close(file)


def _finish(payload: Any) -> None:
    if payload.data.asset_id == FAILING:
        raise LookupError("the handler was asked to fail")
    _record("handled", payload)


def _handle(payload: Any, request: Any) -> None:
    _record("started", payload)
    time.sleep(SETTINGS["delay"])
    _finish(payload)


async def _handle_async(payload: Any, request: Any) -> None:
    _record("started", payload)
    await asyncio.sleep(SETTINGS["delay"])
    _finish(payload)


@functools.cache
def _client() -> Any:
    import httpx

    return httpx.AsyncClient(timeout=30)


async def _forward(payload: Any, request: Any) -> None:
    """Send the label on, by the one client that all calls share."""
    answer = await _client().post(SETTINGS["forward_to"], content=payload.data.asset_id)
    answer.raise_for_status()
    _finish(payload)


def _set_clock() -> None:
    """Let the test set the time of day, by a file that holds seconds; all Python code sees it."""
    path = Path(SETTINGS["directory"]) / "clock"
    real = time.time_ns

    def time_ns() -> int:
        return real() + int(float(path.read_text()) * 1e9)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


if SETTINGS.get("has_clock"):
    _set_clock()


def _count_accepted() -> None:
    """Let the test read what `stats().accepted` counts, of all processes: a line for each count."""
    add = Counters.add
    path = Path(SETTINGS["directory"]) / "accepted"

    def add_and_tell(self: Counters, name: Counted, count: int = 1) -> None:
        add(self, name, count)
        if name == "accepted" and count:
            _append(path, f"{count}\n".encode())

    Counters.add = add_and_tell  # type: ignore[method-assign]


if SETTINGS.get("counts_accepted"):
    _count_accepted()


def _fork_if_asked() -> None:
    """Fork this process, once for each time that the test asks for it."""
    try:
        (Path(SETTINGS["directory"]) / "fork").unlink()
    except FileNotFoundError:
        return
    threading.Thread(target=_fork).start()


def _fork() -> None:
    """Let a forked child serve requests, as a process that the app starts may.

    It ends as those of multiprocessing do, which some servers' workers may not start.
    """
    if os.fork():
        return
    try:
        _serve_in_child()
        threading._shutdown()  # type: ignore[attr-defined]
    finally:
        os._exit(0)


def _serve_in_child() -> None:
    (app,) = (
        app
        for name, module in list(sys.modules.items())
        if name.startswith(__package__ + ".") and (app := getattr(module, "app", None))
    )
    is_async = is_async_callable(app)
    serve = call_asgi if is_async else call_wsgi
    deadline = time.monotonic() + CHILD_SECONDS
    for number in itertools.count():
        label = f"fork-child-{number}"
        answer = serve(app, Call(chunks=(make_body(asset_id=label),)))
        _append(Path(SETTINGS["directory"]) / "child", f"{label} {answer.status}\n".encode())
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)


def _mood() -> dict[str, Any]:
    """What the test wants of the handler just now: `delay`, and whether it `fails`."""
    path = Path(SETTINGS["directory"]) / "mood"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _handle_moodily(payload: Any, request: Any) -> None:
    mood = _mood()
    _fork_if_asked()
    time.sleep(mood.get("delay", 0))
    if random.random() < mood.get("fails", 0):
        raise ConnectionError("the handler is down")
    _finish(payload)


async def _handle_moodily_async(payload: Any, request: Any) -> None:
    mood = _mood()
    _fork_if_asked()
    await asyncio.sleep(mood.get("delay", 0))
    if random.random() < mood.get("fails", 0):
        raise ConnectionError("the handler is down")
    _finish(payload)


_HANDLERS: dict[str, Callable[[Any, Any], Any]] = {
    "sync": _handle,
    "async": _handle_async,
    "forward": _forward,
    "moody": _handle_moodily,
    "moody-async": _handle_moodily_async,
}


def _on_error(payload: Any, error: Exception) -> None:
    _record("errors", payload)
    time.sleep(SETTINGS["error_delay"])
