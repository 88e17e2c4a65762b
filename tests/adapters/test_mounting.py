"""The ASGI app inside other ASGI frameworks, as the documentation shows."""

import asyncio
from typing import Any

import pytest

from tests.adapters.drivers import Call, acall_asgi
from tests.support import make_body
from unisights import UnisightsOptions
from unisights.asgi import unisights_asgi

JSON = {"content-type": "application/json"}
POST = {"headers": JSON, "chunks": (make_body(),)}


def _quart(options: UnisightsOptions) -> Any:
    quart = pytest.importorskip("quart")
    app = quart.Quart("app")
    app.asgi_app = unisights_asgi(options, app.asgi_app)
    return app


def _litestar(options: UnisightsOptions) -> Any:
    litestar = pytest.importorskip("litestar")
    from litestar.handlers import asgi

    endpoint = unisights_asgi(options)
    handler = asgi("/", is_mount=True, copy_scope=False)(endpoint)
    return litestar.Litestar([handler], lifespan=[endpoint.lifespan])


def _starlette(options: UnisightsOptions) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    endpoint = unisights_asgi(options)
    return Starlette(routes=[Mount("/", app=endpoint)], lifespan=endpoint.lifespan)


FRAMEWORKS = {"quart": _quart, "litestar": _litestar, "starlette": _starlette}


async def _call_within_lifespan(app: Any, call: Call) -> Any:
    """Start an app as a server does, call it once, and stop it."""
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    outgoing: asyncio.Queue[Any] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    running = asyncio.create_task(app(scope, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    assert (await outgoing.get())["type"] == "lifespan.startup.complete"
    answer = await acall_asgi(app, call)
    await incoming.put({"type": "lifespan.shutdown"})
    assert (await outgoing.get())["type"] == "lifespan.shutdown.complete"
    await running
    return answer


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_endpoint_answers_inside(framework: str, recorder: Any) -> None:
    """A beacon arrives through the framework's own app."""
    app = FRAMEWORKS[framework](UnisightsOptions(handler=recorder))
    assert asyncio.run(_call_within_lifespan(app, Call(**POST))).status == 200
    assert len(recorder.payloads) == 1


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_frameworks_end_drains(framework: str) -> None:
    """When the framework's app ends, what waits in the background has been handled."""
    done: list[Any] = []

    async def handler(payload: Any, request: Any) -> None:
        await asyncio.sleep(0.2)
        done.append(payload)

    app = FRAMEWORKS[framework](UnisightsOptions(handler=handler, delivery="background"))
    assert asyncio.run(_call_within_lifespan(app, Call(**POST))).status == 202
    assert len(done) == 1


def test_fastapis_end_drains() -> None:
    """The router's own lifespan drains when the FastAPI app ends."""
    fastapi = pytest.importorskip("fastapi")
    from unisights.fastapi import unisights_fastapi

    done: list[Any] = []

    async def handler(payload: Any, request: Any) -> None:
        await asyncio.sleep(0.2)
        done.append(payload)

    app = fastapi.FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(handler=handler, delivery="background")))
    assert asyncio.run(_call_within_lifespan(app, Call(**POST))).status == 202
    assert len(done) == 1
