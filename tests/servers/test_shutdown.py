"""The end of a server: what was acknowledged is handled, or given to on_error."""

import contextlib
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.processes import post, wait_for
from tests.servers.apps.settings import FAILING
from tests.servers.senders import Flood, post_all
from tests.servers.servers import (
    ASGI,
    DJANGO,
    DJANGO_ASYNC,
    DJANGO_ON_ASGI,
    FASTAPI,
    FLASK,
    FLASK_INLINE,
    FLASK_RUN,
    GRANIAN,
    GRANIAN_WSGI,
    GTHREAD,
    GUNICORN,
    GUNICORN_ASGI,
    GUNICORN_UVICORN,
    HYPERCORN,
    PRELOAD,
    RUNSERVER,
    STARLETTE,
    UVICORN,
    UWSGI,
    UWSGI_THREADS,
    WAITRESS,
    WSGIREF,
    App,
    Combination,
    Running,
    Settings,
    running,
    with_arguments,
)
from tests.support import make_body


def _settings(combination: Combination, delay: float = 0.05, **options: Any) -> Settings:
    """Background delivery that is slower than what a flood sends."""
    return Settings(
        options={"delivery": "background", "max_concurrency": 2, "queue_size": 30, **options},
        handler="async" if combination.app.is_async else "sync",
        delay=delay,
    )


def _wait_until_behind(server: Running, flood: Flood) -> None:
    """Wait until many payloads that were acknowledged are still waiting."""

    def is_behind() -> bool:
        acknowledged = len(flood.acknowledged)
        return acknowledged - len(server.records("handled")) >= 15

    wait_for(is_behind, "a queue of 15 payloads")


def _repeated(counts: Counter[str]) -> set[str]:
    return {label for label, count in counts.items() if count > 1}


def _assert_all_handled(server: Running, acknowledged: set[str]) -> None:
    """Every payload that was acknowledged was handled, once, and none was given up."""
    handled = server.labels("handled")
    assert acknowledged - handled.keys() == set()
    assert _repeated(handled) == set()
    assert server.records("errors") == []


@pytest.mark.parametrize(
    "combination",
    [
        Combination(UVICORN, ASGI),
        Combination(HYPERCORN, ASGI),
        Combination(GRANIAN, ASGI),
        Combination(UVICORN, STARLETTE),
        Combination(UVICORN, FASTAPI),
        Combination(UVICORN, DJANGO_ASYNC),
        Combination(UVICORN, DJANGO_ON_ASGI),
        Combination(HYPERCORN, DJANGO_ASYNC),
        Combination(GUNICORN_UVICORN, FASTAPI),
        Combination(GUNICORN_UVICORN, DJANGO_ASYNC),
        Combination(GUNICORN_ASGI, FASTAPI),
        Combination(GUNICORN, FLASK),
        Combination(GUNICORN, DJANGO),
        Combination(GTHREAD, FLASK),
        Combination(GTHREAD, DJANGO),
        Combination(PRELOAD, FLASK),
        Combination(GRANIAN_WSGI, FLASK),
        # They serve requests in threads, and leave SIGTERM to the system.
        Combination(WAITRESS, FLASK),
        Combination(WAITRESS, DJANGO),
        Combination(WSGIREF, FLASK),
        Combination(FLASK_RUN, FLASK),
        Combination(RUNSERVER, DJANGO),
        Combination(UWSGI, FLASK),
        Combination(UWSGI_THREADS, FLASK),
    ],
    ids=str,
)
def test_sigterm_loses_nothing(combination: Combination, tmp_path: Path) -> None:
    """On SIGTERM, with a queue and with requests coming in, all that was taken is handled."""
    with running(combination, tmp_path, _settings(combination)) as server:
        with Flood(server) as flood:
            _wait_until_behind(server, flood)
            server.send_signal()
            server.wait_for_end()
        _assert_all_handled(server, flood.acknowledged)


@pytest.mark.parametrize(
    "combination",
    [
        Combination(HYPERCORN, ASGI),
        Combination(GUNICORN_UVICORN, FASTAPI),
        Combination(GUNICORN_UVICORN, DJANGO_ASYNC),
        Combination(GUNICORN, FLASK),
    ],
    ids=str,
)
def test_sigterm_to_every_process_loses_nothing(combination: Combination, tmp_path: Path) -> None:
    """Systemd sends SIGTERM to every process of a service at once, and nothing is lost by it."""
    with running(combination, tmp_path, _settings(combination)) as server:
        with Flood(server) as flood:
            _wait_until_behind(server, flood)
            server.send_signal_to_all()
            server.wait_for_end()
        _assert_all_handled(server, flood.acknowledged)


@pytest.mark.parametrize(
    "combination", [Combination(UVICORN, FASTAPI), Combination(GUNICORN, FLASK)], ids=str
)
def test_ctrl_c_loses_nothing(combination: Combination, tmp_path: Path) -> None:
    """Ctrl-C sends SIGINT to every process at once, and nothing is lost by it."""
    with running(combination, tmp_path, _settings(combination)) as server:
        with Flood(server) as flood:
            _wait_until_behind(server, flood)
            server.send_signal_to_all(signal.SIGINT)
            server.wait_for_end()
        _assert_all_handled(server, flood.acknowledged)


@pytest.mark.parametrize(
    "combination", [Combination(UVICORN, FASTAPI), Combination(WAITRESS, FLASK)], ids=str
)
def test_the_end_of_a_terminal_loses_nothing(combination: Combination, tmp_path: Path) -> None:
    """When an SSH session ends, the server gets SIGHUP, and nothing is lost by it."""
    with running(combination, tmp_path, _settings(combination)) as server:
        with Flood(server) as flood:
            _wait_until_behind(server, flood)
            server.send_signal(signal.SIGHUP)
            server.wait_for_end()
        _assert_all_handled(server, flood.acknowledged)


@pytest.mark.parametrize(
    "combination",
    [
        Combination(with_arguments(server, "--max-requests 10"), app)
        for server, app in (
            (GUNICORN, FLASK),
            (GTHREAD, FLASK),
            (GUNICORN_UVICORN, FASTAPI),
            (GUNICORN_UVICORN, DJANGO_ASYNC),
        )
    ],
    ids=str,
)
def test_recycling_loses_nothing(combination: Combination, tmp_path: Path) -> None:
    """When a worker ends after ten requests, what it has acknowledged is handled all the same."""
    batches = [{f"{batch}-{number}" for number in range(15)} for batch in (1, 2)]
    with running(combination, tmp_path, _settings(combination)) as server:
        workers = set(server.processes())
        for batch in batches:
            # A worker that ends resets connections that it has accepted and not begun to serve.
            assert post_all(server, batch, repeats=True) == {202: len(batch)}
            wait_for(lambda: workers - set(server.processes()), "the end of the first worker")
        labels = set.union(*batches)
        wait_for(lambda: server.labels("handled").keys() == labels, "the handling of all")
        _assert_all_handled(server, labels)


@pytest.mark.parametrize(
    "combination",
    [
        Combination(UVICORN, FASTAPI),
        Combination(UVICORN, DJANGO_ASYNC),
        Combination(GUNICORN, FLASK),
        Combination(GTHREAD, DJANGO),
    ],
    ids=str,
)
def test_what_time_does_not_allow_goes_to_on_error(
    combination: Combination, tmp_path: Path
) -> None:
    """With more work than drain_timeout allows, the rest goes to on_error, once, and in time."""
    settings = _settings(combination, delay=0.4, drain_timeout=0.5, max_concurrency=1)
    labels = {f"label-{number}" for number in range(30)}
    with running(combination, tmp_path, settings) as server:
        assert post_all(server, labels) == {202: len(labels)}
        server.send_signal()
        assert server.wait_for_end() < 6  # Handling them all would have taken twelve seconds.
        handled, errors = server.labels("handled"), server.labels("errors")
        assert handled.keys() | errors.keys() == labels
        assert _repeated(handled) == _repeated(errors) == set()
        # Only what was being handled when time ran out can have been both.
        assert len(handled.keys() & errors.keys()) <= 1


@pytest.mark.parametrize(
    "combination", [Combination(UVICORN, FASTAPI), Combination(GUNICORN, FLASK)], ids=str
)
def test_a_handler_that_fails_too_late_is_reported_once(
    combination: Combination, tmp_path: Path
) -> None:
    """What went to on_error for want of time does not go there again when its handler fails."""
    settings = replace(
        _settings(combination, delay=0.4, drain_timeout=0.2, max_concurrency=5), error_delay=0.05
    )
    with running(combination, tmp_path, settings) as server:
        assert post_all(server, [FAILING] * 20) == {202: 20}
        server.send_signal()
        server.wait_for_end()
        assert server.labels("errors") == {FAILING: 20}


PATHS = ("/events", "/second", "/third")

_HANGING = (
    Combination(UVICORN, App("hanging", "hanging_fastapi", "fastapi")),
    Combination(HYPERCORN, App("hanging", "hanging_fastapi", "fastapi")),
    Combination(GUNICORN, App("hanging", "hanging_flask", "flask", is_async=False)),
    Combination(WAITRESS, App("hanging", "hanging_flask", "flask", is_async=False)),
)


def test_the_end_takes_as_long_with_three_endpoints_as_with_one(tmp_path: Path) -> None:
    """Whatever hangs: the drain_timeout, then what on_error and then what `close` is given, once.

    Here that is 7 seconds. One endpoint after the other would take 19.
    """
    options = {"drain_timeout": 1.0, "report_and_close": (2.0, 4.0)}
    with contextlib.ExitStack() as stack:
        servers = []
        for combination in _HANGING:
            directory = tmp_path / str(combination)
            directory.mkdir()
            handler = "async" if combination.app.is_async else "sync"
            settings = Settings(options=options, handler=handler)
            servers.append(stack.enter_context(running(combination, directory, settings)))
        for server in servers:
            for path in PATHS:
                assert post(server.port, make_body(), path)[0] == 202
        began = time.monotonic()
        for server in servers:
            server.send_signal()
        for server in servers:
            server.wait_for_end()
            assert time.monotonic() - began < 14, server.combination


def test_an_impatient_ctrl_c_loses_nothing(tmp_path: Path) -> None:
    """Ctrl-C while on_error is told of what was not handled does not keep the rest from it."""
    combination = Combination(GUNICORN, FLASK)
    settings = replace(_settings(combination, delay=0.5, drain_timeout=0.1), error_delay=0.05)
    labels = {f"label-{number}" for number in range(20)}
    with running(combination, tmp_path, settings) as server:
        assert post_all(server, labels) == {202: len(labels)}
        server.send_signal()
        wait_for(lambda: len(server.records("errors")) >= 3, "the call of on_error")
        # gunicorn now gives its workers two more seconds; the rest of the calls takes one.
        server.send_signal(signal.SIGINT)
        server.wait_for_end()
        handled, errors = server.labels("handled"), server.labels("errors")
        assert labels - handled.keys() - errors.keys() == set()
        assert _repeated(errors) == set()


@pytest.mark.parametrize(
    "combination",
    [
        Combination(UVICORN, FASTAPI),
        Combination(UVICORN, DJANGO_ASYNC),
        Combination(HYPERCORN, ASGI),
        Combination(GRANIAN, ASGI),
        Combination(GUNICORN_UVICORN, FASTAPI),
        Combination(GUNICORN, FLASK_INLINE),
        Combination(GTHREAD, DJANGO),
        Combination(GRANIAN_WSGI, DJANGO),
    ],
    ids=str,
)
def test_sigterm_lets_inline_handlers_end(combination: Combination, tmp_path: Path) -> None:
    """With inline delivery, a request that is under way at SIGTERM is handled and answered."""
    settings = Settings(handler="async" if combination.app.is_async else "sync", delay=0.5)
    with running(combination, tmp_path, settings) as server, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.post, "under-way")
        wait_for(lambda: server.records("started"), "the start of the handler")
        server.send_signal()
        assert answer.result().status == 200
        server.wait_for_end()
        assert server.labels("handled") == {"under-way": 1}


@pytest.mark.parametrize(
    "combination",
    [Combination(WAITRESS, FLASK_INLINE), Combination(RUNSERVER, DJANGO)],
    ids=str,
)
def test_sigterm_waits_for_inline_handlers(combination: Combination, tmp_path: Path) -> None:
    """Likewise on servers that leave SIGTERM to the system, which need not answer any more."""
    with (
        running(combination, tmp_path, Settings(delay=0.5)) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        assert server.post("first").status == 200
        pool.submit(server.post, "under-way")
        wait_for(lambda: "under-way" in server.labels("started"), "the start of the handler")
        server.send_signal()
        server.wait_for_end()
        assert server.labels("handled") == {"first": 1, "under-way": 1}
