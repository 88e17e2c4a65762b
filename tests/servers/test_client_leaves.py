"""The client leaves before the answer, as the page of a beacon does: its payload is delivered."""

import socket
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.servers.servers import (
    DJANGO_ASYNC,
    FASTAPI,
    GRANIAN,
    HYPERCORN,
    STARLETTE_MIDDLEWARE,
    UVICORN,
    Combination,
    Running,
    Settings,
    running,
)
from tests.support import make_body

LABELS = {f"label-{number}" for number in range(5)}

COMBINATIONS = [
    Combination(UVICORN, DJANGO_ASYNC),
    Combination(HYPERCORN, DJANGO_ASYNC),
    Combination(GRANIAN, DJANGO_ASYNC),
    Combination(UVICORN, STARLETTE_MIDDLEWARE),
    Combination(HYPERCORN, FASTAPI),
]


def _post_without_waiting(server: Running, label: str) -> socket.socket:
    body = make_body(asset_id=label)
    head = f"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    sender = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    sender.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
    return sender


def _post_and_leave(server: Running) -> None:
    senders = [_post_without_waiting(server, label) for label in sorted(LABELS)]
    wait_for(lambda: server.labels("started").keys() == LABELS, "the handlers")
    for sender in senders:
        sender.close()


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_what_was_accepted_is_delivered(combination: Combination, tmp_path: Path) -> None:
    """Inline handlers run to their end; at the end of the server those that still run, too."""
    settings = Settings(options={"delivery": "inline"}, handler="async", delay=1)
    with running(combination, tmp_path, settings) as server:
        _post_and_leave(server)
        wait_for(lambda: len(server.records("handled")) == len(LABELS), "the deliveries")
        assert server.labels("handled") == dict.fromkeys(LABELS, 1)
        (tmp_path / "started").unlink()
        _post_and_leave(server)
        server.send_signal()
        server.wait_for_end()
        handled = server.labels("handled") + server.labels("errors")
        assert handled == dict.fromkeys(LABELS, 2), server.output()
