"""Starts the servers that several tests share."""

from collections.abc import Iterator

import pytest

from tests.servers.servers import COMBINATIONS, Combination, Running, Settings, running
from tests.support import CAPTURES, capture_headers

PAGE = "https://page.example"
"""The one origin that is listed, beside those of the captures."""


@pytest.fixture(scope="module", params=COMBINATIONS, ids=str)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """An app on a server, for every combination of them: some origins are listed."""
    combination: Combination = request.param
    origins = {PAGE, *(capture_headers(name)["origin"] for name in CAPTURES)}
    settings = Settings(
        options={"allow_origins": sorted(origins)},
        handler="async" if combination.app.is_async else "sync",
    )
    with running(combination, tmp_path_factory.mktemp(str(combination)), settings) as server:
        yield server
