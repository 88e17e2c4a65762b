"""One app per adapter, all of them made from the same options."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.adapters.drivers import Answer, Call, call_asgi
from unisights import UnisightsOptions


@dataclass(frozen=True)
class Adapter:
    """How to make an app with one adapter, and how to call it.

    Attributes:
        name: the adapter's name.
        needs: the packages that must be importable.
        make_app: makes the app.
        call: makes one request of it.
    """

    name: str
    needs: tuple[str, ...]
    make_app: Callable[[UnisightsOptions], Any]
    call: Callable[[Any, Call], Answer]


@dataclass(frozen=True)
class Client:
    """An app of one adapter, ready to be called."""

    adapter: Adapter
    app: Any

    def call(self, call: Call) -> Answer:
        """Make one request."""
        return self.adapter.call(self.app, call)

    def post(self, body: bytes, **headers: str) -> Answer:
        """Post a JSON body, with more headers: `origin="…"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call(
            Call(headers={"content-type": "application/json", **named}, chunks=(body,))
        )


def _asgi(options: UnisightsOptions) -> Any:
    from unisights.asgi import unisights_asgi

    return unisights_asgi(options)


def _asgi_middleware(options: UnisightsOptions) -> Any:
    from unisights.asgi import unisights_asgi

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the wrapped app must not see the endpoint's requests")

    return unisights_asgi(options, inner)


def _starlette(options: UnisightsOptions) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from unisights.asgi import unisights_asgi

    return Starlette(routes=[Mount("/", app=unisights_asgi(options))])


def _fastapi(options: UnisightsOptions) -> Any:
    from fastapi import FastAPI

    from unisights.fastapi import unisights_fastapi

    app = FastAPI()
    app.include_router(unisights_fastapi(options))
    return app


ADAPTERS = [
    Adapter("asgi", (), _asgi, call_asgi),
    Adapter("asgi-middleware", (), _asgi_middleware, call_asgi),
    Adapter("starlette", ("starlette",), _starlette, call_asgi),
    Adapter("fastapi", ("fastapi",), _fastapi, call_asgi),
]


def make_client(adapter: Adapter, **options: Any) -> Client:
    """Make an app of the adapter; skip the test if its framework is missing."""
    for package in adapter.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return Client(adapter, adapter.make_app(UnisightsOptions(**options)))
