"""What a project has around its views, which would lose beacons if they were like others."""

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("django")

from tests.django import apps
from unisights.django import unisights_django, unisights_django_async

BOTH = pytest.mark.parametrize("make", [unisights_django, unisights_django_async])


@BOTH
def test_no_login_is_required(make: Any) -> None:
    """`LoginRequiredMiddleware` would redirect visitors' beacons to the login page."""
    from django.http import HttpResponse
    from django.test import RequestFactory

    installed = ["django.contrib.contenttypes", "django.contrib.auth"]
    with apps.project(INSTALLED_APPS=installed):
        middleware = pytest.importorskip("django.contrib.auth.middleware")
        if not hasattr(middleware, "LoginRequiredMiddleware"):
            pytest.skip("Django has no LoginRequiredMiddleware before 5.1")
        request = RequestFactory().post("/events")
        request.user = SimpleNamespace(is_authenticated=False)
        checked = middleware.LoginRequiredMiddleware(lambda _: HttpResponse())
        assert checked.process_view(request, make(), (), {}) is None


@BOTH
def test_no_transaction_is_opened(make: Any) -> None:
    """With `ATOMIC_REQUESTS` of any database: Django refuses to call an async view then."""
    from django.core.handlers.base import BaseHandler
    from django.db import connections

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    with apps.project():
        before = dict(connections.settings)
        atomic = {"ATOMIC_REQUESTS": True}
        connections.settings.update(
            default={**before["default"], **atomic},
            other={**before["default"], **database, **atomic},
        )
        view = make()
        try:
            assert BaseHandler().make_view_atomic(view) is view
        finally:
            connections.settings.clear()
            connections.settings.update(before)
