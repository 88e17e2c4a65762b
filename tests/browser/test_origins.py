"""Who gets in where origins are listed, on every framework."""

import pytest

from tests.browser.apps import LISTED
from tests.browser.chromium import Browser
from tests.browser.servers import Collector, Site
from tests.support import make_body


def test_a_listed_origin_gets_in(browser: Browser, site: Site, collector: Collector) -> None:
    """A page of a listed origin may send."""
    with browser.tab(site.origin) as tab:
        tab.beacon(collector.url(LISTED), make_body())
        collector.wait_until_handled(make_body(), endpoint=LISTED)


@pytest.mark.parametrize("is_framed", [False, True], ids=["page", "sandboxed-frame"])
def test_another_origin_gets_nothing_in(
    browser: Browser, site: Site, collector: Collector, is_framed: bool
) -> None:
    """Other origins are refused their preflights, and the posts that need none.

    A sandboxed frame's origin is null, also in a listed page.
    """
    url = collector.url(LISTED)
    with browser.tab(f"{site.origin}/framed" if is_framed else site.other_origin) as tab:
        tab.beacon(url, make_body())
        collector.wait_until_answered("OPTIONS", endpoint=LISTED)
        # Had the first post been let through, it would come before these.
        tab.beacon(url, make_body(), content_type="text/plain")
        tab.beacon(url, make_body(), content_type="")
        collector.wait_until_answered("OPTIONS", "POST", "POST", endpoint=LISTED)
    assert {status for _, status in collector.answers(LISTED)} == {403}
    assert collector.handled(LISTED) == []
