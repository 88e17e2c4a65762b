"""Delivery by servers that run on: nothing that was acknowledged is lost on the way."""

import contextlib
import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.servers.senders import post_all
from tests.servers.servers import (
    DJANGO,
    DJANGO_ASYNC,
    FASTAPI,
    FLASK,
    GTHREAD,
    PRELOAD,
    UVICORN,
    App,
    Combination,
    Settings,
    running,
)

LABELS = {f"label-{number}" for number in range(200)}


@contextlib.contextmanager
def _sink() -> Iterator[tuple[str, Counter[str]]]:
    """A server that counts what is posted to it: its URL, and the counts."""
    received: Counter[str] = Counter()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            received[self.rfile.read(length).decode()] += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", received
        finally:
            server.shutdown()
            thread.join()


def test_handlers_share_one_async_client(tmp_path: Path) -> None:
    """On Flask, 200 calls of an async handler that share one HTTP client all get through."""
    with _sink() as (url, received):
        settings = Settings(handler="forward", forward_to=url)
        with running(Combination(GTHREAD, FLASK), tmp_path, settings) as server:
            assert post_all(server, LABELS) == {202: len(LABELS)}
            wait_for(lambda: server.labels("handled").keys() == LABELS, "the handling of all")
            assert server.records("errors") == []
    assert received == dict.fromkeys(LABELS, 1)


@pytest.mark.parametrize("app", [FLASK, DJANGO], ids=lambda app: app.name)
def test_preloaded_workers_handle_all(app: App, tmp_path: Path) -> None:
    """With `gunicorn -w 2 --preload`, 200 are posted and 200 are handled, all by the workers."""
    settings = Settings(options={"delivery": "background"})
    with running(Combination(PRELOAD, app), tmp_path, settings) as server:
        assert post_all(server, LABELS) == {202: len(LABELS)}
        wait_for(lambda: len(server.records("handled")) >= len(LABELS), "the handling of all")
        assert server.labels("handled") == dict.fromkeys(LABELS, 1)
        assert {record["pid"] for record in server.records("handled")} <= set(
            server.processes()
        ) - {server.child.pid}


@pytest.mark.parametrize(
    "combination",
    [
        Combination(GTHREAD, FLASK),
        Combination(UVICORN, FASTAPI),
        Combination(UVICORN, DJANGO_ASYNC),
    ],
    ids=str,
)
def test_a_full_queue(combination: Combination, tmp_path: Path) -> None:
    """503 with Retry-After when the queue is full; what was acknowledged is handled."""
    options = {"delivery": "background", "queue_size": 3, "max_concurrency": 1}
    with running(combination, tmp_path, Settings(options=options, delay=0.4)) as server:
        answers = {label: server.post(label) for label in sorted(LABELS)[:10]}
        assert Counter(answer.status for answer in answers.values()).keys() == {202, 503}
        for answer in answers.values():
            if answer.status == 503:
                assert int(answer.header("retry-after") or "") > 0
                assert isinstance(answer.json()["error"], str)
        acknowledged = {label for label, answer in answers.items() if answer.status == 202}
        wait_for(lambda: server.labels("handled").keys() >= acknowledged, "the handling of all")
        # Refused is refused: nothing else was handled, and there is room again.
        assert server.labels("handled") == dict.fromkeys(acknowledged, 1)
        assert server.post("later").status == 202
