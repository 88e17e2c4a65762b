"""One app per adapter, all of them made from the same options."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from tests.adapters.drivers import Answer, Call, call_asgi, call_wsgi
from tests.options import make_options
from unisights import UnisightsOptions
from unisights.control import EndpointControl


@dataclass(frozen=True)
class Adapter:
    """How to make an app with one adapter, and how to call it.

    Attributes:
        name: the adapter's name.
        needs: the packages that must be importable.
        make_app: makes the app, and gives its handle.
        call: makes one request of it.
        is_async: whether its requests are served on an event loop.
    """

    name: str
    needs: tuple[str, ...]
    make_app: Callable[[UnisightsOptions], "Made"]
    call: Callable[[Any, Call], Answer]
    is_async: bool = True


Made = tuple[Any, EndpointControl]
"""An app, and the handle of its endpoint."""


@dataclass(frozen=True)
class Client:
    """An app of one adapter, ready to be called."""

    adapter: Adapter
    app: Any
    unisights: EndpointControl

    def call(self, call: Call) -> Answer:
        """Make one request."""
        return self.adapter.call(self.app, call)

    def post(self, body: bytes, **headers: str) -> Answer:
        """Post a JSON body, with more headers: `origin="…"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call(
            Call(headers={"content-type": "application/json", **named}, chunks=(body,))
        )


def _asgi(options: UnisightsOptions) -> Made:
    from unisights.asgi import unisights_asgi

    endpoint = unisights_asgi(options)
    return endpoint, endpoint.unisights


def _asgi_middleware(options: UnisightsOptions) -> Made:
    from unisights.asgi import unisights_asgi

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the wrapped app must not see the endpoint's requests")

    endpoint = unisights_asgi(options, inner)
    return endpoint, endpoint.unisights


def _starlette(options: UnisightsOptions) -> Made:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from unisights.asgi import unisights_asgi

    endpoint = unisights_asgi(options)
    return Starlette(routes=[Mount("/", app=endpoint)]), endpoint.unisights


def _fastapi(options: UnisightsOptions) -> Made:
    from fastapi import FastAPI

    from unisights.fastapi import unisights_fastapi

    app = FastAPI()
    router = unisights_fastapi(options)
    app.include_router(router)
    return app, router.unisights


def _flask(options: UnisightsOptions) -> Made:
    from flask import Flask

    from unisights.flask import unisights_flask

    app = Flask("conformance")
    # Neither the framework's limit nor its debugger must have a say.
    app.config["MAX_CONTENT_LENGTH"] = 10
    blueprint = unisights_flask(options)
    app.register_blueprint(blueprint)
    return app, blueprint.unisights


def set_up_django() -> None:
    """Configure Django, once for the process."""
    import django
    from django.conf import settings

    if settings.configured:
        return
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="not secret",
        ROOT_URLCONF=ModuleType("urls"),
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        # The framework's limit must not have a say.
        DATA_UPLOAD_MAX_MEMORY_SIZE=10,
        LOGGING_CONFIG=None,
    )
    django.setup()


def django_app(view: Any, handler: str, path: str = "events") -> Any:
    """An app of one view, with or without a trailing slash, behind a WSGI or ASGI handler."""
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings
    from django.urls import re_path

    urls = ModuleType("urls")
    urls.urlpatterns = [re_path(rf"^{path.strip('/')}/?$", view)]  # type: ignore[attr-defined]
    inner = WSGIHandler() if handler == "wsgi" else ASGIHandler()

    def call_with_urls(*arguments: Any) -> Any:
        with override_settings(ROOT_URLCONF=urls):
            return inner(*arguments)

    async def acall_with_urls(*arguments: Any) -> Any:
        with override_settings(ROOT_URLCONF=urls):
            return await inner(*arguments)

    return call_with_urls if handler == "wsgi" else acall_with_urls


def _django(handler: str, factory: str) -> Callable[[UnisightsOptions], Made]:
    def make(options: UnisightsOptions) -> Made:
        set_up_django()
        import unisights.django

        view = getattr(unisights.django, factory)(options)
        return django_app(view, handler, options.path), view.unisights

    return make


ADAPTERS = [
    Adapter("asgi", (), _asgi, call_asgi),
    Adapter("asgi-middleware", (), _asgi_middleware, call_asgi),
    Adapter("starlette", ("starlette",), _starlette, call_asgi),
    Adapter("fastapi", ("fastapi",), _fastapi, call_asgi),
    Adapter("flask", ("flask",), _flask, call_wsgi, is_async=False),
    Adapter("django", ("django",), _django("wsgi", "unisights_django"), call_wsgi, is_async=False),
    Adapter("django-async", ("django",), _django("asgi", "unisights_django_async"), call_asgi),
    Adapter("django-on-asgi", ("django",), _django("asgi", "unisights_django"), call_asgi),
    Adapter(
        "django-async-on-wsgi", ("django",), _django("wsgi", "unisights_django_async"), call_wsgi
    ),
]


def make_client(adapter: Adapter, **options: Any) -> Client:
    """Make an app of the adapter; skip the test if its framework is missing.

    Delivery is inline unless the options say otherwise: the defaults differ.
    """
    for package in adapter.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    app, control = adapter.make_app(make_options(**{"delivery": "inline", **options}))
    return Client(adapter, app, control)
