"""Both slash forms of an endpoint are answered, past the middleware that would redirect one."""

from typing import Any

import pytest

pytest.importorskip("django")

from django.urls import include, path

from tests.adapters.drivers import Call, call_asgi, call_wsgi
from tests.django import apps
from tests.support import make_body
from unisights import ConfigurationError
from unisights.django import unisights_django, unisights_django_async, unisights_urls

BOTH = pytest.mark.parametrize("make", [unisights_django, unisights_django_async])


def _post(where: str, *, asgi: bool) -> int:
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler

    headers = {"content-type": "application/json"}
    call = Call(path=where, headers=headers, chunks=(make_body(),))
    return (call_asgi(ASGIHandler(), call) if asgi else call_wsgi(WSGIHandler(), call)).status


@BOTH
@pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("route", ["events", "events/"])
def test_both_forms_are_answered(make: Any, asgi: bool, debug: bool, route: str) -> None:
    """With `CommonMiddleware` and `APPEND_SLASH`; a view under one form would lose the other's."""
    with apps.project(unisights_urls(route, make()), APPEND_SLASH=True, DEBUG=debug):
        assert _post("/events", asgi=asgi) == 200
        assert _post("/events/", asgi=asgi) == 200
        assert _post("/events//", asgi=asgi) == 404
    if route == "events/" and not debug:
        with apps.project([path(route, make())], APPEND_SLASH=True):
            assert _post("/events", asgi=asgi) == 301


def test_names_are_reversible() -> None:
    """In the form that was asked for, also in an included URLconf and with arguments."""
    from django.urls import reverse

    view = unisights_django()
    patterns = [
        *unisights_urls("collect"),
        *unisights_urls("collect2/", view, name="second"),
        path("api/", include((unisights_urls("events", view), "shop"))),
        *unisights_urls("<slug:shop>/events", view, name="third"),
    ]
    with apps.project(patterns):
        assert reverse("unisights") == "/collect"
        assert reverse("second") == "/collect2/"
        assert reverse("shop:unisights") == "/api/events"
        assert reverse("third", kwargs={"shop": "north"}) == "/north/events"


@pytest.mark.parametrize("route", ["", "/", "/events"])
def test_a_route_that_never_matches_is_refused(route: str) -> None:
    """Django serves no path with two slashes in front."""
    with pytest.raises(ConfigurationError, match="without a slash in front"):
        unisights_urls(route)
