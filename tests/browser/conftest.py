"""One browser, one server of pages, and one collector per framework for all tests here."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Browser, chromium
from tests.browser.servers import RECIPES, Collector, Site, collecting, serving_pages


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The server that pages come from."""
    with serving_pages() as running:
        yield running


@pytest.fixture(scope="session", params=RECIPES, ids=lambda recipe: recipe.name)
def server(
    request: pytest.FixtureRequest,
    browser: Browser,
    site: Site,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Collector]:
    """A running collector of every framework; start others by indirect parametrisation."""
    with collecting(request.param, tmp_path_factory.mktemp("collector"), site) as running:
        yield running


@pytest.fixture
def collector(server: Collector) -> Collector:
    """The server that pages send to, as if nothing had been sent yet."""
    server.forget()
    return server
