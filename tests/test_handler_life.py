"""Handlers with `open` and `close`: when they are called, how often, and where."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.adapters.drivers import Call, call_asgi
from tests.processes import run_python
from tests.support import make_body
from unisights import PermanentError, UnisightsOptions
from unisights._delivery.handler import ManagedHandler
from unisights._runtime.callers import IN_THREAD, run_blocking
from unisights.asgi import UnisightsASGI, unisights_asgi


class Recorder:
    """A handler that notes what is called, and on which loop."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.loops: list[Any] = []
        self.failures = 0

    async def open(self) -> None:
        await asyncio.sleep(0)
        self.calls.append("open")
        self.loops.append(asyncio.get_running_loop())
        if self.failures:
            self.failures -= 1
            raise LookupError("not yet")

    async def __call__(self, payload: Any, request: Any) -> None:
        self.calls.append("call")
        self.loops.append(asyncio.get_running_loop())

    async def close(self) -> None:
        self.calls.append("close")
        self.loops.append(asyncio.get_running_loop())


def _post() -> Call:
    return Call(headers={"content-type": "application/json"}, chunks=(make_body(),))


async def _request(app: UnisightsASGI) -> int:
    statuses: list[int] = []
    messages = [{"type": "http.request", "body": make_body()}]
    scope = {"type": "http", "method": "POST", "path": "/events", "headers": []}

    async def receive() -> Any:
        return messages.pop()

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    await app(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("delivery", ["inline", "background"])
def test_the_lifespan_is_the_handlers_life(delivery: Any) -> None:
    """Opened at the start, closed at the end, once each, on the loop that the handler runs on."""
    handler = Recorder()
    app = unisights_asgi(UnisightsOptions(handler=handler, delivery=delivery))

    async def main() -> None:
        async with app.lifespan():
            assert handler.calls == ["open"]
            await asyncio.gather(*(_request(app) for _ in range(5)))

    asyncio.run(main())
    assert handler.calls == ["open", *["call"] * 5, "close"]
    assert len(set(handler.loops)) == 1


def test_without_a_lifespan_the_first_payload_opens() -> None:
    """Where no server tells of its start, the handler is opened before its first call, once."""
    handler = Recorder()
    app = unisights_asgi(UnisightsOptions(handler=handler))

    async def main() -> None:
        assert set(await asyncio.gather(*(_request(app) for _ in range(5)))) == {200}

    asyncio.run(main())
    assert handler.calls == ["open", *["call"] * 5]


def test_an_open_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """At the start it is logged, and the app runs; each payload tries again, and fails with it."""
    handler = Recorder()
    handler.failures = 2
    app = unisights_asgi(UnisightsOptions(handler=handler))

    async def main() -> None:
        async with app.lifespan():
            assert "cannot be opened" in caplog.text
            assert [await _request(app) for _ in range(3)] == [500, 200, 200]

    asyncio.run(main())
    assert handler.calls == ["open", "open", "open", "call", "call", "close"]


def test_a_cancelled_request_does_not_cancel_the_opening() -> None:
    """The first request begins it; others that wait for it are served when it has ended."""
    begun, released = asyncio.Event(), asyncio.Event()

    class Slow(Recorder):
        async def open(self) -> None:
            begun.set()
            await released.wait()
            await super().open()

    handler = Slow()
    app = unisights_asgi(UnisightsOptions(handler=handler))

    async def main() -> None:
        first, *others = (asyncio.ensure_future(_request(app)) for _ in range(5))
        await begun.wait()
        first.cancel()
        released.set()
        assert await asyncio.gather(*others) == [200] * 4
        assert await app.unisights.adrain(30)

    asyncio.run(main())
    assert handler.calls == ["open", *["call"] * 5]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_open_that_hangs_has_a_deadline(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, is_async: bool
) -> None:
    """The app starts, and payloads fail in time; all wait for the one call, and it may yet end."""
    monkeypatch.setattr("unisights._delivery.handler.OPEN_SECONDS", 0.05)
    released = threading.Event()
    calls: list[str] = []

    class Hanging:
        def __call__(self, payload: Any, request: Any) -> None:
            calls.append("call")

    class Sync(Hanging):
        def open(self) -> None:
            calls.append("open")
            released.wait(30)

    class Async(Hanging):
        async def open(self) -> None:
            calls.append("open")
            await asyncio.to_thread(released.wait, 30)

    app = unisights_asgi(UnisightsOptions(handler=Async() if is_async else Sync()))

    async def main() -> None:
        async with app.lifespan():
            assert "open has not ended within" in caplog.text
            assert await asyncio.gather(*(_request(app) for _ in range(3))) == [500] * 3
            assert app.unisights.readiness().reasons == ("handler_not_open",)
            released.set()
            statuses = [500]
            while statuses[-1] == 500:  # at once, until `open` has ended
                statuses.append(await _request(app))
            assert statuses[-1] == 200

    asyncio.run(main())
    assert calls == ["open", "call"]


def test_a_hanging_open_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payloads that come after the deadline fail at once: they would hold a server's threads."""
    released = threading.Event()

    class Hanging:
        def open(self) -> None:
            released.wait(60)

        def __call__(self, payload: Any, request: Any) -> None:
            pass

    monkeypatch.setattr("unisights._delivery.handler.OPEN_SECONDS", 0.01)
    managed = ManagedHandler(Hanging(), lambda: None)
    try:
        for _ in range(2):
            with pytest.raises(TimeoutError, match="has not ended within"):
                run_blocking(managed.call(None, lambda: None, IN_THREAD))  # type: ignore[arg-type]
            # A wait that began anew would last longer than this test may.
            monkeypatch.setattr("unisights._delivery.handler.OPEN_SECONDS", 3600)
    finally:
        released.set()


def test_an_opening_ends_with_its_loop() -> None:
    """If the loop that began it stops, another loop's request begins it anew, and is served."""
    calls: list[str] = []

    class Handler:
        async def open(self) -> None:
            calls.append("open")
            if len(calls) == 1:
                await asyncio.sleep(3600)

        async def __call__(self, payload: Any, request: Any) -> None:
            calls.append("call")

    app = unisights_asgi(UnisightsOptions(handler=Handler()))
    first = asyncio.new_event_loop()
    request = first.create_task(_request(app))
    while not calls:
        first.run_until_complete(asyncio.sleep(0))
    assert asyncio.run(_request(app)) == 200
    assert calls == ["open", "open", "call"]
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        first.run_until_complete(request)
    first.run_until_complete(first.shutdown_asyncgens())
    for task in asyncio.all_tasks(first):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            first.run_until_complete(task)
    first.close()


def test_what_has_not_opened_is_not_closed() -> None:
    """As for a context manager: `close` belongs to an `open` that has succeeded."""

    class Failing(Recorder):
        async def open(self) -> None:
            self.calls.append("open")
            raise PermanentError("no such database")

    handler = Failing()
    app = unisights_asgi(UnisightsOptions(handler=handler))

    async def main() -> None:
        async with app.lifespan():
            assert await _request(app) == 500

    asyncio.run(main())
    assert handler.calls == ["open", "open"]


def test_a_close_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What `close` raises does not keep the app from ending."""

    class Failing(Recorder):
        async def close(self) -> None:
            raise LookupError("no end")

    app = unisights_asgi(UnisightsOptions(handler=Failing()))

    async def main() -> None:
        async with app.lifespan():
            pass

    asyncio.run(main())
    assert "no end" in caplog.text


def test_threads_open_once() -> None:
    """Threads that come at once wait for one opening; a sync `open` will do."""
    calls: list[str] = []
    barrier = threading.Barrier(8)

    class Handler:
        def open(self) -> None:
            calls.append("open")

        def __call__(self, payload: Any, request: Any) -> None:
            calls.append("call")

    managed = ManagedHandler(Handler(), lambda: None)

    def call(_: int) -> None:
        barrier.wait(10)
        run_blocking(managed.call(None, lambda: None, IN_THREAD))  # type: ignore[arg-type]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert calls == ["open", *["call"] * 8]


@pytest.mark.parametrize("handler", [lambda payload, request: None, None])
def test_other_handlers_have_no_life(handler: Any) -> None:
    """A function, or none, is called as ever."""
    app = unisights_asgi(UnisightsOptions(handler=handler))
    assert call_asgi(app, _post()).status == 200


AT_EXIT = """\
import asyncio, sys
from flask import Flask
from tests.adapters.drivers import Call, call_wsgi
from tests.support import make_body
from unisights import UnisightsOptions
from unisights.flask import unisights_flask

class Handler:
    async def open(self):
        print("open")
    async def __call__(self, payload, request):
        await asyncio.sleep(0.2)
        print("call")
    async def close(self):
        print("close")

app = Flask("app")
app.register_blueprint(unisights_flask(UnisightsOptions(handler=Handler(), delivery=sys.argv[1])))
for _ in range(3):
    call_wsgi(app, Call(headers={"content-type": "application/json"}, chunks=(make_body(),)))
"""


@pytest.mark.parametrize("delivery", ["inline", "background"])
def test_the_end_of_the_process_closes(delivery: str) -> None:
    """Under WSGI, the handler is closed when the process ends, after what was queued."""
    finished = run_python(AT_EXIT, delivery, check=True)
    assert finished.stdout.split() == ["open", "call", "call", "call", "close"]
