"""What a body that never ends costs a server's processes."""

from pathlib import Path

import pytest

from tests.servers.servers import (
    ASGI,
    DJANGO,
    DJANGO_ASYNC,
    FASTAPI,
    FLASK,
    FLASK_INLINE,
    GRANIAN,
    GTHREAD,
    GUNICORN,
    GUNICORN_UVICORN,
    HYPERCORN,
    STARLETTE,
    UVICORN,
    Combination,
    running,
)
from tests.servers.wire import send_endlessly
from tests.support import make_body

LIMIT = 1024 * 1024


@pytest.mark.parametrize(
    "combination",
    [
        Combination(UVICORN, ASGI),
        Combination(GRANIAN, STARLETTE),
        Combination(GUNICORN_UVICORN, FASTAPI),
        Combination(HYPERCORN, DJANGO_ASYNC),
        Combination(GTHREAD, FLASK),
        Combination(GUNICORN, FLASK_INLINE),
        Combination(GTHREAD, DJANGO),
    ],
    ids=str,
)
def test_a_huge_body_costs_little(combination: Combination, tmp_path: Path) -> None:
    """300 MiB in chunks are answered 413, and no process takes 3 x max_payload_size for it."""
    with running(combination, tmp_path) as server:
        # What is set up once is not counted.
        first = [make_body(asset_id="first"), b" " * 100_000]
        assert server.call(chunks=first).status == server.combination.app.accepted
        before = server.peak_memory()
        assert send_endlessly(server.port, 300 * LIMIT).status == 413
        after = server.peak_memory()
        assert after.keys() == before.keys()
        assert max(after[process] - before[process] for process in after) <= 3 * LIMIT
        assert server.post("last").status == server.combination.app.accepted
