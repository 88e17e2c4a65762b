"""Apps that also run their framework's CORS middleware: which settings let beacons in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.apps import LISTED, OPEN
from tests.browser.chromium import Browser
from tests.browser.servers import (
    DJANGO,
    DJANGO_ASYNC,
    FASTAPI,
    FASTAPI_INSIDE,
    FLASK,
    Collector,
    Recipe,
    Site,
    collecting,
)
from tests.support import make_body

PAGE = "<the page's origin>"
"""Stands for an origin that is not known before the pages are served."""

FASTAPI_ANY = {"allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"]}
FASTAPI_ONE = {
    "allow_origins": [PAGE],
    "allow_credentials": True,
    "allow_methods": ["POST"],
}

LETS_IN = [
    (FASTAPI, FASTAPI_ONE),
    (FASTAPI, {**FASTAPI_ANY, "allow_credentials": True}),
    (FASTAPI_INSIDE, FASTAPI_ANY),
    (FASTAPI_INSIDE, {}),
    (FLASK, {}),
    (FLASK, {"supports_credentials": True}),
    (FLASK, {"origins": ["https://other.example"]}),
    (DJANGO, {"CORS_ALLOWED_ORIGINS": [PAGE], "CORS_ALLOW_CREDENTIALS": True}),
    (DJANGO, {"CORS_ALLOW_ALL_ORIGINS": True, "CORS_ALLOW_CREDENTIALS": True}),
    (DJANGO, {"CORS_ALLOW_ALL_ORIGINS": True, "CORS_URLS_REGEX": r"^/api/"}),
    (DJANGO_ASYNC, {"CORS_ALLOWED_ORIGINS": [PAGE], "CORS_ALLOW_CREDENTIALS": True}),
]

KEEPS_OUT = [
    (FASTAPI, FASTAPI_ANY),
    (FASTAPI, {**FASTAPI_ONE, "allow_credentials": False}),
    (FASTAPI, {**FASTAPI_ONE, "allow_methods": ["GET"]}),
    (DJANGO, {"CORS_ALLOW_ALL_ORIGINS": True}),
    (DJANGO, {"CORS_ALLOWED_ORIGINS": [PAGE]}),
]


OPENS_PREFLIGHTS = [
    (FASTAPI, {**FASTAPI_ANY, "allow_credentials": True}),
    (DJANGO, {"CORS_ALLOW_ALL_ORIGINS": True, "CORS_ALLOW_CREDENTIALS": True}),
]


def _name(value: Recipe | dict[str, Any]) -> str:
    if isinstance(value, Recipe):
        return value.name
    return ",".join(f"{key}={setting}" for key, setting in value.items()) or "defaults"


@pytest.fixture
def collector(
    browser: Browser, site: Site, tmp_path: Path, recipe: Recipe, cors: dict[str, Any]
) -> Iterator[Collector]:
    """The server that pages send to, with the settings under test."""
    settings = json.loads(json.dumps(cors).replace(PAGE, site.origin))
    with collecting(recipe, tmp_path, site, settings) as running:
        yield running


@pytest.mark.parametrize(("recipe", "cors"), LETS_IN, ids=_name)
def test_these_settings_let_beacons_in(browser: Browser, site: Site, collector: Collector) -> None:
    """Beacons arrive where all origins are taken, and where theirs is listed."""
    with browser.tab(site.origin) as tab:
        for endpoint in (OPEN, LISTED):
            tab.beacon(collector.url(endpoint), make_body())
            collector.wait_until_handled(make_body(), endpoint=endpoint)


@pytest.mark.parametrize(("recipe", "cors"), KEEPS_OUT, ids=_name)
def test_these_settings_keep_beacons_out(
    browser: Browser, site: Site, collector: Collector
) -> None:
    """The middleware answers preflights in the endpoint's place, and not as beacons need it."""
    needs_no_preflight = make_body(asset_id="last")
    with browser.tab(site.origin) as tab:
        tab.beacon(collector.url(), make_body())
        collector.wait_until_answered("OPTIONS")
        tab.beacon(collector.url(), needs_no_preflight, content_type="")
        collector.wait_until_answered("OPTIONS", "POST")
        collector.wait_until_handled(needs_no_preflight)


@pytest.mark.parametrize(("recipe", "cors"), OPENS_PREFLIGHTS, ids=_name)
def test_listed_origins_stay_listed(browser: Browser, site: Site, collector: Collector) -> None:
    """Where the middleware lets every preflight pass, the endpoint still refuses the post."""
    with browser.tab(site.other_origin) as tab:
        tab.beacon(collector.url(LISTED), make_body())
        collector.wait_until_answered("OPTIONS", "POST", endpoint=LISTED)
    assert collector.answers(LISTED) == [("OPTIONS", 200), ("POST", 403)]
    assert collector.handled(LISTED) == []
