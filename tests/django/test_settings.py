"""The setting `UNISIGHTS`: what it makes, and that whatever is wrong in it is named."""

import logging
import subprocess
from typing import Any

import pytest

pytest.importorskip("django")

from tests.adapters.drivers import Call, call_wsgi
from tests.django import apps
from tests.django.conftest import environment, manage
from tests.processes import PYTHON
from tests.support import make_body
from unisights import ConfigurationError, Durable
from unisights.django import unisights_django, unisights_django_async, unisights_urls
from unisights.django._settings import read_options

HANDLER = "tests.django.apps.handle"

WRONG = [
    ({"handlr": HANDLER}, "no key 'handlr': did you mean 'handler'?"),
    ({"zzz": 1}, "no key 'zzz': it has path, handler"),
    ({"handler": "tests.django.apps.nothing"}, "handler cannot be imported"),
    ({"on_error": "no_such_module.store"}, "on_error cannot be imported"),
    ({"on_reject": "nothing"}, "on_reject cannot be imported"),
    ({"handler": 5}, "handler must be callable"),
    ({"max_payload_size": -1}, "max_payload_size must be a positive whole number"),
    ({"delivery": "durable"}, "needs a file"),
    ({1: 2}, "no key 1"),
    ([("handler", HANDLER)], "must be a dictionary"),
]


def _post(path: str = "/events") -> int:
    from django.core.handlers.wsgi import WSGIHandler

    headers = {"content-type": "application/json"}
    return call_wsgi(WSGIHandler(), Call(path=path, headers=headers, chunks=(make_body(),))).status


def test_the_setting_makes_the_endpoint() -> None:
    """Its keys are the options; the handler, which needs models, is given by its import path."""
    apps.handled.clear()
    with apps.project(UNISIGHTS={"handler": HANDLER, "duplicate_window": 5}):
        options = read_options()
        assert options.handler is apps.handle
        assert options.duplicate_window == 5
        patterns = unisights_urls("events")
    with apps.project(patterns):
        assert _post() == 200
    assert len(apps.handled) == 1


@pytest.mark.parametrize("make", [unisights_django, unisights_django_async])
def test_options_in_code_go_before_the_setting(make: Any) -> None:
    """And without the setting there are the defaults."""
    from unisights import UnisightsOptions

    with apps.project(UNISIGHTS={"zzz": 1}):
        assert make(UnisightsOptions()).unisights.readiness().ready
    with apps.project():
        assert make().unisights.readiness().ready


@pytest.mark.parametrize(("setting", "named"), WRONG, ids=[named for _, named in WRONG])
def test_a_mistake_is_named(setting: Any, named: str) -> None:
    """By a system check, or without the app where the view is made."""
    from django.core.checks import run_checks

    with apps.project(UNISIGHTS=setting):
        (error,) = run_checks(tags=["unisights"])
        assert error.id == "unisights.E001"
        assert error.is_serious()
        assert error.msg.startswith("UNISIGHTS")
        assert named in error.msg
    with (
        apps.project(UNISIGHTS=setting, INSTALLED_APPS=[]),
        pytest.raises(ConfigurationError, match="UNISIGHTS"),
    ):
        unisights_django()


def test_a_mistake_closes_the_endpoint(caplog: pytest.LogCaptureFixture) -> None:
    """The site goes on; the endpoint says that it is not ready, and nothing is lost in silence."""
    with apps.project(UNISIGHTS={"zzz": 1}):
        patterns = unisights_urls("events")
    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert record.event == "settings_wrong"  # type: ignore[attr-defined]
    with apps.project(patterns):
        assert _post() == 503
    assert patterns[0].callback.unisights.readiness().reasons == ("closed",)


def test_checks_of_a_project_fail() -> None:
    """`manage.py check` names the mistake, and neither the URLconf nor the app hides it."""
    checked = manage("check", SHOP_UNISIGHTS='{"handlr": ""}')
    assert checked.returncode == 1
    assert "(unisights.E001) UNISIGHTS has no key 'handlr'" in checked.stderr


def test_nothing_needs_settings_when_it_is_imported() -> None:
    """Nor when views and URLs are made, such as in a module that settings import."""
    code = "from unisights.django import *; unisights_django_async(); unisights_urls('events')"
    environment_without = {**environment(), "DJANGO_SETTINGS_MODULE": ""}
    subprocess.run([PYTHON, "-c", code], env=environment_without, check=True, timeout=60)


def test_values_may_be_objects() -> None:
    """Such as a delivery: settings can import these."""
    delivery = Durable("/var/lib/shop/events.spool")
    with apps.project(UNISIGHTS={"handler": apps.handle, "delivery": delivery}):
        assert read_options().delivery is delivery
