"""The tests that a team would write: by Django's own clients, on every pair of view and handler."""

import json

from django.db import connection
from django.test import TestCase, TransactionTestCase

from shop.models import Visit
from shop.urls import DELIVERIES, views

BODY = json.dumps(
    {
        "data": {
            "asset_id": "shop",
            "session_id": "550e8400-e29b-41d4-a716-446655440000",
            "page_url": "https://shop.example/",
            "events": [],
        },
        "encrypted": False,
    }
)


class Endpoints:
    """What holds for each kind of test case."""

    def check_posts(self, post, drain):
        """Nothing is stored before a drain, unless inline; then it is, on this connection."""
        for name, view in views.items():
            with self.subTest(name):
                is_inline = name.endswith("inline")
                answer = post(f"/{name}")
                assert answer.status_code == (200 if is_inline else 202)
                assert Visit.objects.filter(endpoint=name).count() == int(is_inline)
                assert drain(view)
                assert Visit.objects.filter(endpoint=name).count() == 1

    def post(self, path):
        """Post as a browser does."""
        return self.client.post(path, BODY, content_type="application/json")

    def test_rows_are_stored(self):
        """Through the test's own connection, as the test sees them."""
        assert Visit.objects.count() == 0
        self.check_posts(self.post, lambda view: view.unisights.drain(30))

    def test_rows_are_stored_again(self):
        """The other test's rows are gone."""
        self.test_rows_are_stored()

    async def test_async_tests_see_them_too(self):
        """With the async client, and `adrain`."""
        for name, view in views.items():
            with self.subTest(name):
                answer = await self.async_client.post(
                    f"/{name}", BODY, content_type="application/json"
                )
                assert answer.status_code in {200, 202}
                assert await view.unisights.adrain(30)
                assert await Visit.objects.filter(endpoint=name).acount() == 1


class InTestCase(Endpoints, TestCase):
    """Each test in a transaction, which is rolled back."""

    def test_the_transaction_goes_on(self):
        """Nothing that is delivered ends it."""
        self.test_rows_are_stored()
        assert connection.in_atomic_block


class InTransactionTestCase(Endpoints, TransactionTestCase):
    """Each test with commits; tables are truncated afterwards."""

    def test_what_is_left_at_the_end_is_dropped(self):
        """There is no test database then, and nothing may write into another."""
        for delivery in DELIVERIES:
            self.post(f"/sync-sync-{delivery}")
