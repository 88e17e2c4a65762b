"""Django, configured, and a handler that the setting `UNISIGHTS` can name by its path."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.adapters.apps import set_up_django

handled: list[Any] = []


def handle(payload: Any, request: Any) -> None:
    """Keep a payload."""
    handled.append(payload)


@contextlib.contextmanager
def project(urlpatterns: Any = (), **settings: Any) -> Iterator[None]:
    """A project with the Django app, an URLconf and settings."""
    set_up_django()
    from django.test import override_settings
    from django.urls import clear_url_caches

    settings.setdefault("INSTALLED_APPS", ["unisights.django"])
    with override_settings(ROOT_URLCONF=tuple(urlpatterns), **settings):
        yield
    clear_url_caches()
