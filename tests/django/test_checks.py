"""The system checks: each finds its mistake, and is silent where there is none."""

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("django")

from django.urls import include, path, re_path

from tests.django import apps
from tests.docs.tables import first_spans
from unisights import Durable, StoreError, UnisightsOptions
from unisights.django import (
    _checks,
    unisights_django,
    unisights_django_async,
    unisights_urls,
)


def _found(urlpatterns: Any, **settings: Any) -> list[str]:
    """The ids of the messages of all checks, also of those before a deployment."""
    from django.core.checks import run_checks

    with apps.project(urlpatterns, **settings):
        messages = run_checks(tags=["unisights"], include_deployment_checks=True)
    assert all(message.hint for message in messages)
    return [message.id.removeprefix("unisights.") for message in messages]


def _options(**changes: Any) -> UnisightsOptions:
    good = {"handler": apps.handle, "allow_origins": ["https://shop.example"]}
    return UnisightsOptions(**{**good, **changes})


def _urls(**changes: Any) -> Any:
    return unisights_urls("api/events", unisights_django(_options(**changes)))


@pytest.mark.parametrize("make", [unisights_django, unisights_django_async])
def test_a_good_project_hears_nothing(make: Any) -> None:
    """Nor one without an endpoint."""
    assert _found(unisights_urls("api/events", make(_options()))) == []
    assert _found([path("", include(unisights_urls("events", make(_options()))))]) == []
    assert _found([]) == []


@pytest.mark.parametrize("route", ["events", "events/"])
@pytest.mark.parametrize("prefix", ["", "api/"])
def test_one_slash_form_alone_is_found(route: str, prefix: str) -> None:
    """Wherever it is: the other form is redirected or unknown, and its beacons are lost."""
    one = [path(route, unisights_django(_options()))]
    assert _found([path(prefix, include(one))]) == ["W002"]


def test_what_is_no_fixed_path_is_left_alone() -> None:
    """Its other form is not known."""
    view = unisights_django(_options())
    assert _found([re_path("^events/?$", view), path("<int:shop>/events", view)]) == []
    assert _found([re_path("^api/", include([path("events", view)]))]) == []


def test_another_view_at_the_other_form_is_no_endpoint() -> None:
    """A beacon that is sent there is lost as well."""
    other = path("events/", lambda request: None)
    assert _found([path("events", unisights_django(_options())), other]) == ["W002"]


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"path": "/api/events"}, "W003"),
    ({"handler": None}, "W004"),
    ({"delivery": Durable("events.spool")}, "W005"),
    ({"delivery": Durable("media/events.spool")}, "E002"),
    ({"delivery": Durable("static/../media/shop/events.spool")}, "E002"),
    ({"debug": True}, "W007"),
    ({"allow_origins": ["*"]}, "I001"),
]


@pytest.mark.parametrize(("changes", "expected"), MISTAKES)
def test_options_are_checked(changes: dict[str, Any], expected: str, tmp_path: Path) -> None:
    """Those of code, and the setting's: each mistake is told once."""
    for name in ("media/shop", "static"):
        (tmp_path / name).mkdir(parents=True)
    roots = {"MEDIA_ROOT": str(tmp_path / "media"), "STATIC_ROOT": str(tmp_path / "static")}
    if expected == "E002":
        changes = {"delivery": Durable(tmp_path / changes["delivery"].spool)}
    assert _found(_urls(**changes), **roots) == [expected]
    setting = {"handler": apps.handle, "allow_origins": ["https://shop.example"], **changes}
    with apps.project(UNISIGHTS=setting):
        patterns = unisights_urls("api/events")
    assert _found(patterns, UNISIGHTS=setting, **roots) == [expected]


def test_connections_that_are_kept_are_found(tmp_path: Path) -> None:
    """Without health checks, a restart of the database loses an event for each connection."""
    durable = _urls(delivery=Durable(tmp_path / "events.spool"))
    for database, expected in (
        ({}, []),
        ({"CONN_MAX_AGE": 0}, []),
        ({"CONN_MAX_AGE": 60}, ["W006"]),
        ({"CONN_MAX_AGE": None}, ["W006"]),
        ({"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}, []),
    ):
        with apps.project():
            from django.conf import settings

            before = settings.DATABASES
            settings.DATABASES = {"default": database}  # Django warns of overrides in tests.
            try:
                assert _found(_urls()) == expected
                assert _found(durable) == []
                assert _found([]) == []
            finally:
                settings.DATABASES = before


def test_a_setting_that_nothing_uses_is_found() -> None:
    """The endpoint was forgotten in the URLconf."""
    setting = {"handler": apps.handle}
    assert _found([], UNISIGHTS=setting) == ["W001"]
    assert _found(_urls(), UNISIGHTS=setting) == ["W001"]


def test_the_spool_may_be_anywhere_else(tmp_path: Path) -> None:
    """Beside what is served, and where nothing is."""
    roots = {"MEDIA_ROOT": str(tmp_path / "media"), "STATIC_ROOT": None}
    assert _found(_urls(delivery=Durable(tmp_path / "events.spool")), **roots) == []


def test_a_spool_that_cannot_be_opened_is_found(tmp_path: Path) -> None:
    """Of the setting; of options in code, the view says so when it is made."""
    setting = {"handler": apps.handle, "delivery": Durable(tmp_path / "missing" / "events.spool")}
    with apps.project(UNISIGHTS=setting):
        patterns = unisights_urls("api/events")
        assert patterns[0].callback.unisights.readiness().reasons == ("closed",)
    assert _found(patterns, UNISIGHTS=setting) == ["E003"]
    with pytest.raises(StoreError):
        _urls(delivery=setting["delivery"])


def test_the_documents_name_every_check() -> None:
    """In the order of their ids."""
    source = Path(_checks.__file__).read_text(encoding="utf-8")
    assert first_spans("Check") == sorted(
        set(re.findall(r'"(unisights\.[EWI]\d+)"', source)), key=_rank
    )


def _rank(name: str) -> tuple[int, str]:
    return "EWI".index(name.removeprefix("unisights.")[0]), name
