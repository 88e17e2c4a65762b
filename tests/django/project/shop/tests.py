"""The tests that a team would write: by Django's own clients, on every pair of view and handler."""

import itertools
import json
import urllib.request

from asgiref.sync import sync_to_async
from django.db import connection
from django.test import (
    AsyncRequestFactory,
    LiveServerTestCase,
    RequestFactory,
    TestCase,
    TransactionTestCase,
)

from shop.models import Visit
from shop.urls import COLOURS, DELIVERIES, make_view, views


def make_body(asset_id="shop"):
    """Make what a browser sends."""
    data = {
        "asset_id": asset_id,
        "session_id": "550e8400-e29b-41d4-a716-446655440000",
        "page_url": "https://shop.example/",
        "events": [],
    }
    return json.dumps({"data": data, "encrypted": False})


class Endpoints:
    """What holds for each kind of test case."""

    def post(self, path, body=None):
        """Post as a browser does."""
        return self.client.post(path, body or make_body(), content_type="application/json")

    def count(self, name):
        """Count the rows of a name."""
        return Visit.objects.filter(endpoint=name).count()

    def test_rows_are_stored(self):
        """Through the test's own connection; unless inline, by a drain only."""
        assert Visit.objects.count() == 0
        for name, view in views.items():
            with self.subTest(name):
                is_inline = name.endswith("inline")
                assert self.post(f"/{name}").status_code == (200 if is_inline else 202)
                assert self.count(name) == int(is_inline)
                assert view.unisights.drain(30)
                assert self.count(name) == 1

    def test_rows_are_stored_again(self):
        """The other test's rows are gone."""
        self.test_rows_are_stored()

    def test_what_is_rejected_or_fails_is_stored(self):
        """`on_reject` runs before the response, `on_error` where the handler does."""
        for name, view in views.items():
            with self.subTest(name):
                assert self.post(f"/{name}", "{}").status_code == 422
                assert self.count(f"{name}-rejected") == 1
                if name.endswith("durable"):
                    continue  # It would try again.
                is_inline = name.endswith("inline")
                answer = self.post(f"/{name}", make_body("fails"))
                assert answer.status_code == (500 if is_inline else 202)
                assert view.unisights.drain(30)
                assert self.count(f"{name}-failed") == 1

    def test_what_fails_is_tried_again(self):
        """By drains, which do not wait longer than they are told; `close` drops the rest."""
        for handler in COLOURS:
            with self.subTest(handler):
                view = make_view("sync", handler, "durable")
                sent = {"data": make_body("fails"), "content_type": "application/json"}
                assert view(RequestFactory().post("/", **sent)).status_code == 202
                name = f"sync-{handler}-durable"
                for _ in range(1000):
                    assert not view.unisights.drain(0.05)
                    if self.count(name) > 1:
                        break
                assert self.count(name) > 1
                view.unisights.close()
                assert self.count(f"{name}-closed") == 1
                assert view(RequestFactory().post("/", **sent)).status_code == 503

    async def test_closing_from_an_async_test(self):
        """It drops what waits, and closes the handler as the test would."""
        for kinds in itertools.product(COLOURS, COLOURS, DELIVERIES):
            with self.subTest(kinds):
                view = make_view(*kinds)
                sent = {"data": make_body(), "content_type": "application/json"}
                request = AsyncRequestFactory().post("/", **sent)
                if kinds[0] == "sync":
                    answer = await sync_to_async(view)(request)
                else:
                    answer = await view(request)
                assert answer.status_code in {200, 202}
                assert await view.unisights.adrain(30)
                await view.unisights.aclose()
                name = "-".join(kinds)
                assert await Visit.objects.filter(endpoint=f"{name}-closed").acount() == 1

    async def test_async_tests_see_them_too(self):
        """With the async client, and `adrain`."""
        for name, view in views.items():
            with self.subTest(name):
                path = f"/{name}"
                sent = {"content_type": "application/json"}
                answer = await self.async_client.post(path, "{}", **sent)
                assert answer.status_code == 422
                assert await Visit.objects.filter(endpoint=f"{name}-rejected").acount() == 1
                answer = await self.async_client.post(path, make_body(), **sent)
                assert answer.status_code in {200, 202}
                assert await view.unisights.adrain(30)
                assert await Visit.objects.filter(endpoint=name).acount() == 1


class InTestCase(Endpoints, TestCase):
    """Each test in a transaction, which is rolled back."""

    def test_the_transaction_goes_on(self):
        """Nothing that is delivered ends it."""
        self.test_rows_are_stored()
        assert connection.in_atomic_block


class InLiveServerTestCase(LiveServerTestCase):
    """A server in a thread, such as for a browser's tests."""

    def test_rows_are_stored(self):
        """Inline, by the server's thread, otherwise by the test's."""
        headers = {"content-type": "application/json"}
        for name, view in views.items():
            with self.subTest(name):
                url = f"{self.live_server_url}/{name}"
                request = urllib.request.Request(url, make_body().encode(), headers)  # noqa: S310
                assert urllib.request.urlopen(request, timeout=60).status in {200, 202}  # noqa: S310
                stored = Visit.objects.filter(endpoint=name)
                assert stored.count() == int(name.endswith("inline"))
                assert view.unisights.drain(30)
                assert stored.count() == 1


class InTransactionTestCase(Endpoints, TransactionTestCase):
    """Each test with commits; tables are truncated afterwards."""

    def test_what_is_left_at_the_end_is_dropped(self):
        """There is no test database then, and nothing may write into another."""
        for delivery in DELIVERIES:
            self.post(f"/sync-sync-{delivery}")
