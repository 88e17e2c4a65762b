"""What a page sends arrives, on every framework, with no CORS package."""

import time
from pathlib import Path

import pytest

from tests.browser.chromium import Browser, Tab
from tests.browser.servers import MORE_RECIPES, RECIPES, Collector, Site
from tests.support import CAPTURES, capture, make_body


@pytest.mark.parametrize(
    "server", RECIPES + MORE_RECIPES, ids=lambda recipe: recipe.name, indirect=True
)
def test_every_recorded_body_arrives(browser: Browser, site: Site, collector: Collector) -> None:
    """All that the real client sends comes in from a page of another site, byte for byte."""
    script = """async ([url, names]) => {
      for (const name of names) {
        const answer = await fetch(`/${name}.json`);
        await beacon(url, await answer.text());
      }
    }"""
    with browser.tab(site.origin) as tab:
        tab.run(script, collector.url(), CAPTURES)
        collector.wait_until_handled(*map(capture, CAPTURES))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["cross-site", "same-site"])
def test_one_preflight_serves_a_page(
    browser: Browser, site: Site, collector: Collector, host: str
) -> None:
    """The first beacon to another origin sends a preflight; the next ones send none."""
    url = collector.url(host=host)
    first, second = make_body(asset_id="first"), make_body(asset_id="second")
    with browser.tab(site.origin) as tab:
        tab.beacon(url, first)
        collector.wait_until_answered("OPTIONS", "POST")
        tab.beacon(url, second)
        collector.wait_until_answered("OPTIONS", "POST", "POST")
        collector.wait_until_handled(first, second)


@pytest.mark.parametrize("server", RECIPES[:1], ids=lambda recipe: recipe.name, indirect=True)
def test_a_preflight_lasts(browser: Browser, site: Site, collector: Collector) -> None:
    """A preflight serves for longer than the five seconds that browsers take by themselves."""
    first, second = make_body(asset_id="first"), make_body(asset_id="second")
    with browser.tab(site.origin) as tab:
        tab.beacon(collector.url(), first)
        collector.wait_until_handled(first)
        time.sleep(6)
        tab.beacon(collector.url(), second)
        collector.wait_until_answered("OPTIONS", "POST", "POST")


def test_the_same_origin_needs_no_preflight(browser: Browser, collector: Collector) -> None:
    """A page of the collector's own origin just posts."""
    with browser.tab(collector.url("/missing")) as tab:
        tab.beacon(collector.url(), make_body())
        collector.wait_until_handled(make_body())
        collector.wait_until_answered("POST")


def test_a_file_may_send(browser: Browser, collector: Collector, tmp_path: Path) -> None:
    """A page opened from disk, whose origin is null, gets in by default."""
    page = tmp_path / "page.html"
    page.write_text("<title>Page</title>", encoding="utf-8")
    with browser.tab(page.as_uri()) as tab:
        _send_from_nowhere(tab, collector)


def test_a_sandboxed_frame_may_send(browser: Browser, site: Site, collector: Collector) -> None:
    """A sandboxed frame, whose origin is null, gets in by default."""
    with browser.tab(f"{site.origin}/framed") as tab:
        _send_from_nowhere(tab, collector)


def _send_from_nowhere(tab: Tab, collector: Collector) -> None:
    assert tab.run("() => origin") == "null"
    tab.beacon(collector.url(), make_body())
    collector.wait_until_handled(make_body())
    collector.wait_until_answered("OPTIONS", "POST")


def test_beacons_outlive_navigation(browser: Browser, site: Site, collector: Collector) -> None:
    """What a page sends right before it is left, and while it is hidden, arrives."""
    before, hidden = make_body(asset_id="before"), make_body(asset_id="hidden")
    script = """([url, before, hidden]) => {
      addEventListener("pagehide", () => beacon(url, hidden));
      beacon(url, before);
    }"""
    with browser.tab(site.origin) as tab:
        first = _send_preflight(tab, collector)
        tab.run(script, collector.url(), before.decode(), hidden.decode())
        # Within the site: a page that is left for another site has only a moment to be hidden in.
        tab.open(f"{site.origin}/framed")
        collector.wait_until_handled(first, before, hidden)


def test_beacons_outlive_their_tab(browser: Browser, site: Site, collector: Collector) -> None:
    """What a page sends right before its tab is closed arrives."""
    body = make_body(asset_id="last")
    with browser.tab(site.origin) as tab:
        first = _send_preflight(tab, collector)
        tab.beacon(collector.url(), body)
        tab.close()
        collector.wait_until_handled(first, body)


def _send_preflight(tab: Tab, collector: Collector) -> bytes:
    """Send a first beacon: Chromium drops one in a hundred whose tab closes in mid-preflight."""
    body = make_body(asset_id="first")
    tab.beacon(collector.url(), body)
    collector.wait_until_handled(body)
    return body


def test_a_compressed_body_arrives(browser: Browser, site: Site, collector: Collector) -> None:
    """A page may compress what it sends: the preflight allows content-encoding."""
    script = """async ([url, name]) => {
      const answer = await fetch(`/${name}.json`);
      const compressed = answer.body.pipeThrough(new CompressionStream("gzip"));
      const received = await fetch(url, {
        method: "POST",
        keepalive: true,
        credentials: "include",
        headers: {"content-type": "application/json", "content-encoding": "gzip"},
        body: await new Response(compressed).blob(),
      });
      return (await received.json()).session_id;
    }"""
    with browser.tab(site.origin) as tab:
        session_id = tab.run(script, collector.url(), "many-events")
        assert session_id.encode() in capture("many-events")
        collector.wait_until_handled(capture("many-events"))
        collector.wait_until_answered("OPTIONS", "POST")
