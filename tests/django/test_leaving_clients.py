"""A client that leaves does not take a sync view's async handler along.

Django 5 and later cancels the request, and asgiref's bridges would pass that on to the handler.
"""

import asyncio
import threading
from typing import Any

import pytest

pytest.importorskip("django")

from asgiref.sync import sync_to_async

from tests.django import apps
from tests.support import make_body
from unisights import UnisightsOptions
from unisights.django import unisights_django, unisights_urls


class _Visit:
    """A request whose client leaves while the handler runs; on the loop of the test."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.left = asyncio.Event()
        self.ended = asyncio.Event()
        self.done: list[str] = []
        self._goes_on = threading.Event()
        self._messages = [{"type": "http.request", "body": make_body(), "more_body": False}]

    async def handle(self, payload: Any, request: Any) -> None:
        self.loop.call_soon_threadsafe(self.begun.set)
        while not self._goes_on.is_set():  # noqa: ASYNC110  # it is set on another loop
            await asyncio.sleep(0.01)
        await sync_to_async(self.done.append)("queried")
        self.done.append("ended")
        self.loop.call_soon_threadsafe(self.ended.set)

    async def receive(self) -> dict[str, Any]:
        if self._messages:
            return self._messages.pop()
        await self.begun.wait()
        self.left.set()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Nobody reads what is sent."""

    async def run(self) -> None:
        from django.core.handlers.asgi import ASGIHandler

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/events", "headers": headers}
        scope |= {"query_string": b"", "asgi": {"version": "3.0"}, "http_version": "1.1"}
        request = asyncio.create_task(ASGIHandler()(scope, self.receive, self.send))
        await self.begun.wait()
        if hasattr(ASGIHandler, "listen_for_disconnect"):  # Django 5
            await self.left.wait()
            for _ in range(10):  # It cancels what it has begun.
                await asyncio.sleep(0)
        self._goes_on.set()
        await request
        await self.ended.wait()


def test_the_handler_goes_on_to_its_end() -> None:
    """With what it still has to ask of the database, in the thread of its view."""

    async def leave() -> None:
        visit = _Visit()
        view = unisights_django(UnisightsOptions(handler=visit.handle))
        with apps.project(unisights_urls("events", view)):
            await asyncio.wait_for(visit.run(), 60)
            # The view may have to tell yet what has come of it.
            assert await view.unisights.adrain(60)
        assert visit.done == ["queried", "ended"]
        stats = view.unisights.stats()
        assert (stats.accepted, stats.delivered, stats.failed) == (1, 1, 0)

    asyncio.run(leave())
