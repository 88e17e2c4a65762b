"""All pairs of view and handler outlive a restart of PostgreSQL, in each delivery, on real servers.

The project keeps its connections (`CONN_MAX_AGE` is None), so a restart leaves them all dead.
"""

import http.client
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("django")

from tests.django.conftest import environment, execute
from tests.processes import (
    DEADLINE,
    PYTHON,
    free_port,
    listens,
    post,
    process,
    stop,
    wait_for,
)
from tests.sinks.services import Service
from tests.support import make_body

ENDPOINTS = [
    "-".join(parts)
    for parts in itertools.product(
        ("sync", "async"), ("sync", "async"), ("inline", "background", "durable")
    )
]

SERVERS = {
    "wsgi": ["gunicorn", "shop.wsgi:app", "--threads", "4", "--bind", "127.0.0.1:{port}"],
    "asgi": ["uvicorn", "shop.asgi:app", "--port", "{port}", "--lifespan", "off"],
}

TRIES = 30
"""So many requests may fail after a restart: each thread has a connection that has to fail once."""


class Site:
    """The project on a server."""

    def __init__(self, port: int) -> None:
        self._port = port

    def post(self, endpoint: str, body: bytes = b"") -> int:
        """Post a payload; return the status."""
        return post(self._port, body or make_body(), f"/{endpoint}")[0]

    def post_until_accepted(self, endpoint: str) -> None:
        """Post until a payload is accepted, and not for ever."""
        assert any(self.post(endpoint) in {200, 202} for _ in range(TRIES)), endpoint

    def count(self, endpoint: str) -> tuple[int, int]:
        """Count the endpoint's rows, and the loops of its handler; -1 while that fails."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE)
        try:
            connection.request("GET", f"/count?endpoint={endpoint}")
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        rows, loops = text.split() if response.status == 200 else ("-1", "0")
        return int(rows), int(loops)


@pytest.fixture(params=SERVERS)
def site(
    request: pytest.FixtureRequest, django_postgres: Service, tmp_path: Path
) -> Iterator[Site]:
    """The project on a server, with a fresh table."""
    pytest.importorskip(SERVERS[request.param][0])
    database = {"SHOP_POSTGRES": str(django_postgres.port)}
    execute(django_postgres, "DELETE FROM shop_visit")
    port = free_port()
    command = [PYTHON, "-m", *(word.format(port=port) for word in SERVERS[request.param])]
    with process(command, env=environment(SHOP_SPOOLS=str(tmp_path), **database)) as server:
        wait_for(lambda: listens(port), "the start of the server")
        yield Site(port)
        stop(server)
        assert server.returncode in {0, -15}


def test_every_pair_outlives_a_restart(site: Site, django_postgres: Service) -> None:
    """No endpoint fails for ever; what is retried arrives; the server ends when it is told to.

    Kept async clients work: all that an endpoint's async functions do is done on one event loop.
    """
    for endpoint in ENDPOINTS:
        assert site.post(endpoint) in {200, 202}, endpoint
    for endpoint in ENDPOINTS:
        wait_for(lambda: site.count(endpoint)[0] == 1, f"the row of {endpoint}")  # noqa: B023
    django_postgres.stop()
    refused = {endpoint: site.post(endpoint) for endpoint in ENDPOINTS}
    django_postgres.start()
    for endpoint, status in refused.items():
        assert status == (500 if endpoint.endswith("inline") else 202), endpoint
        site.post_until_accepted(endpoint)

        def is_rejection_stored() -> bool:
            assert site.post(endpoint, b"{}") == 422  # noqa: B023
            return site.count(f"{endpoint}-rejected")[0] > 0  # noqa: B023

        wait_for(is_rejection_stored, f"on_reject of {endpoint}")
    for endpoint in ENDPOINTS:
        # A payload of background delivery is not tried again: others follow until one arrives.
        def has_arrived() -> bool:
            if endpoint.endswith("background"):  # noqa: B023
                site.post(endpoint)  # noqa: B023
            # Durable delivery has kept the one that came meanwhile.
            return site.count(endpoint)[0] >= (3 if endpoint.endswith("durable") else 2)  # noqa: B023

        wait_for(has_arrived, f"the rows of {endpoint}")
        if "-async-" in endpoint:
            assert site.count(endpoint)[1] == 1, endpoint
