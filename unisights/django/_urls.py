"""The paths of an endpoint in an URLconf, and the endpoints that an URLconf has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, path
from django.urls.resolvers import RegexPattern

from unisights._endpoint.base import Endpoint
from unisights.django._views import UnisightsView, endpoint_of, unisights_django
from unisights.errors import ConfigurationError


def unisights_urls(
    route: str, view: UnisightsView[Any] | None = None, *, name: str = "unisights"
) -> list[URLPattern]:
    """Make the patterns that serve an endpoint with and without a trailing slash.

    Neither form is redirected, as beacons follow no redirect. Add them to `urlpatterns`, or pass
    them to `include`.

    Args:
        route: the path, as `django.urls.path` takes it, such as `"api/events"`.
        view: the view; None for a sync view with the options of the setting `UNISIGHTS`.
        name: the name by which `reverse` finds the route, in the form in which it is given.

    Raises:
        ConfigurationError: the route is empty or begins with a slash; or, if there is no view, as
            for `unisights_django`.
    """
    bare = route.rstrip("/")
    if not bare or route.startswith("/"):
        raise ConfigurationError(
            f"route must be a path without a slash in front, such as 'api/events', not {route!r}"
        )
    if view is None:
        view = unisights_django()
    other = bare if route.endswith("/") else f"{bare}/"
    return [path(route, view, name=name), path(other, view)]


@dataclass(frozen=True)
class Registered:
    """An endpoint in the URLconf.

    Attributes:
        path: its path; None if it is no fixed one, or is given by a regular expression.
        endpoint: the endpoint.
    """

    path: str | None
    endpoint: Endpoint


def find_endpoints() -> Iterator[Registered]:
    """Find the endpoints of the project's URLconf."""
    return _find(get_resolver(), "/")


def _find(resolver: URLResolver, prefix: str | None) -> Iterator[Registered]:
    for pattern in resolver.url_patterns:
        text = str(pattern.pattern)
        is_fixed = not isinstance(pattern.pattern, RegexPattern) and "<" not in text
        whole = prefix + text if is_fixed and prefix is not None else None
        if isinstance(pattern, URLResolver):
            yield from _find(pattern, whole)
        elif (endpoint := endpoint_of(pattern.callback)) is not None:
            yield Registered(whole, endpoint)
