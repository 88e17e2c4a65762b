"""Many endpoints in one process: closing gives back what each of them holds."""

import asyncio
import contextlib
import gc
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flask import Flask

from tests.adapters.drivers import Call, call_asgi
from tests.processes import wait_for
from tests.support import make_body
from unisights import Background, Durable, UnisightsOptions
from unisights.asgi import unisights_asgi
from unisights.delivery import Delivery
from unisights.fastapi import unisights_fastapi
from unisights.flask import unisights_flask

APPS = 500

JSON = {"content-type": "application/json"}


def _descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def _handle(payload: Any, request: Any) -> None:
    pass


def _use(delivery: Delivery) -> "weakref.ref[Any]":
    app = unisights_asgi(UnisightsOptions(handler=_handle, delivery=delivery))
    assert call_asgi(app, Call(chunks=(make_body(),))).status in {200, 202}
    assert app.unisights.drain(30)
    app.unisights.close()
    return weakref.ref(app.unisights)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_500_apps_leave_nothing_behind(tmp_path: Path) -> None:
    """Each is used once, drained and closed: threads, descriptors and memory are given back."""
    deliveries: list[Any] = ["inline", Background(), None]
    for warm_up in ("inline", Background(), Durable(tmp_path / "first.spool")):
        _use(warm_up)
    threads, descriptors = threading.active_count(), _descriptors()
    apps = []
    for number in range(APPS):
        delivery = deliveries[number % 3] or Durable(tmp_path / f"{number}.spool")
        apps.append(_use(delivery))
    wait_for(lambda: threading.active_count() <= threads, "the end of the threads")
    assert _descriptors() <= descriptors
    gc.collect()
    assert [app for app in apps if app() is not None] == []


def _flask() -> None:
    app = Flask("app")
    app.register_blueprint(unisights_flask(UnisightsOptions(handler=_handle)))
    sent = app.test_client().post("/events", data=make_body(), content_type="application/json")
    assert sent.status_code == 202


def _fastapi() -> None:
    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(handler=_handle)))
    with TestClient(app) as client:
        sent = client.post("/events", content=make_body(), headers=JSON)
    assert sent.status_code == 200


def _fastapi_without_lifespan() -> None:
    options = UnisightsOptions(handler=_handle, delivery=Background())
    app = FastAPI()
    app.include_router(unisights_fastapi(options))
    assert TestClient(app).post("/events", content=make_body(), headers=JSON).status_code == 202


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_500_apps_of_test_clients_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of apps that nobody closes, as in the tests of a project, idle threads end by themselves."""
    monkeypatch.setattr("unisights._delivery.work_queue.IDLE_SECONDS", 0.1)
    kinds = [_flask, _fastapi, _fastapi_without_lifespan]
    threads = threading.active_count()
    for use in kinds:
        use()
    gc.collect()
    descriptors = _descriptors()
    for number in range(APPS):
        kinds[number % 3]()
    gc.collect()
    wait_for(lambda: threading.active_count() <= threads, "the end of the threads")
    assert _descriptors() <= descriptors


def test_endpoints_that_were_open_at_once(tmp_path: Path) -> None:
    """Likewise if all are open at the same time, with async handlers and in async code."""

    async def handle(payload: Any, request: Any) -> None:
        pass

    async def main() -> None:
        apps = [
            unisights_asgi(UnisightsOptions(handler=handle, delivery=delivery))
            for number in range(20)
            for delivery in (Background(), Durable(tmp_path / f"{number}.spool"))
        ]
        async with contextlib.AsyncExitStack() as stack:
            for app in apps:
                await stack.enter_async_context(app.lifespan())
            assert all(app.unisights.readiness().ready for app in apps)
        assert {app.unisights.readiness().reasons for app in apps} == {("closed",)}

    _use(Background())
    asyncio.run(main())
    threads = threading.active_count()
    asyncio.run(main())
    wait_for(lambda: threading.active_count() <= threads, "the end of the threads")


def test_a_closed_endpoint_opens_again_with_a_lifespan(tmp_path: Path) -> None:
    """In each delivery: 503 after `close`, and what came before once the app's lifespan begins."""
    call = Call(chunks=(make_body(),))

    async def main(delivery: Delivery) -> None:
        app = unisights_asgi(UnisightsOptions(handler=_handle, delivery=delivery))
        accepted = (await asyncio.to_thread(call_asgi, app, call)).status
        await app.unisights.aclose()
        assert (await asyncio.to_thread(call_asgi, app, call)).status == 503
        async with app.lifespan():
            assert app.unisights.readiness().ready
            assert (await asyncio.to_thread(call_asgi, app, call)).status == accepted
            assert await app.unisights.adrain(30)
        assert app.unisights.stats().delivered == 2

    for delivery in ("inline", Background(), Durable(tmp_path / "events.spool")):
        asyncio.run(main(delivery))
