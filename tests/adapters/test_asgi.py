"""What ASGI alone has: lifespans, mounting, other paths, WebSockets, middleware."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.drivers import Call, acall_asgi, call_asgi
from tests.processes import wait_for
from tests.spools import fill, query
from tests.support import make_body
from unisights import ConfigurationError, Durable, RequestInfo, UnisightsOptions
from unisights.asgi import UnisightsASGI, unisights_asgi

JSON = {"content-type": "application/json"}


async def _inner(scope: Any, receive: Any, send: Any) -> None:
    """An app that answers every request with 299 and its path, and serves the lifespan."""
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})
        return
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def _lifespan(app: Any, *messages: str) -> list[Any]:
    """Send an app the lifespan's messages; return what it answers."""
    incoming = [{"type": message} for message in messages]
    answers: list[Any] = []

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        answers.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    return answers


def test_a_refused_client_that_goes_away_is_counted_once() -> None:
    """What was decided before the body came is not decided again; a preflight is no refusal."""
    app = unisights_asgi(UnisightsOptions(allow_origins=["https://shop.example"]))
    other = {**JSON, "origin": "https://other.example"}
    assert call_asgi(app, Call(headers=other, chunks=(b"{",), disconnects=True)).status == 403
    preflight = Call(method="OPTIONS", headers={"origin": "https://shop.example"})
    assert call_asgi(app, replace(preflight, chunks=(b"",), disconnects=True)).status == 204
    refused = app.unisights.stats().refused
    assert {reason: count for reason, count in refused.items() if count} == {"forbidden_origin": 1}


def test_the_lifespan_is_served() -> None:
    """Alone, the app starts and stops when the server says so."""
    answers = _lifespan(unisights_asgi(), "lifespan.startup", "lifespan.shutdown")
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_the_lifespan_reaches_the_wrapped_app() -> None:
    """As middleware, the app leaves the lifespan to the app inside."""
    assert _lifespan(unisights_asgi(app=_inner), "lifespan.startup") == [
        "lifespan.startup.complete"
    ]


@pytest.mark.parametrize("kind", ["raises", "returns", "reads-and-raises"])
def test_an_app_without_a_lifespan_can_be_wrapped(kind: str) -> None:
    """Around an app that knows no lifespan, the endpoint serves it, and drains at its end."""
    done: list[Any] = []

    def handler(payload: Any, request: Any) -> None:
        time.sleep(0.1)
        done.append(payload)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        if kind == "reads-and-raises":
            await receive()
        if kind != "returns":
            raise ValueError(scope["type"])

    app = unisights_asgi(UnisightsOptions(handler=handler, delivery="background"), inner)

    async def live() -> list[str]:
        incoming: asyncio.Queue[Any] = asyncio.Queue()
        outgoing: asyncio.Queue[Any] = asyncio.Queue()
        running = asyncio.create_task(app({"type": "lifespan"}, incoming.get, outgoing.put))
        await incoming.put({"type": "lifespan.startup"})
        answers = [(await outgoing.get())["type"]]
        answer = await acall_asgi(app, Call(headers=JSON, chunks=(make_body(),)))
        assert answer.status == 202
        await incoming.put({"type": "lifespan.shutdown"})
        answers.append((await outgoing.get())["type"])
        await running
        return answers

    assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert len(done) == 1


def test_other_paths_reach_the_wrapped_app() -> None:
    """As middleware, only the endpoint's path is taken."""
    app = unisights_asgi(UnisightsOptions(path="/events"), _inner)
    assert call_asgi(app, Call(chunks=(make_body(),))).status == 200
    for path in ("/", "/event", "/events/x", "/eventsx", "/api/events"):
        answer = call_asgi(app, Call(path=path))
        assert (answer.status, answer.body) == (299, path.encode())


def test_other_paths_are_404_alone() -> None:
    """Without an app inside, other paths are not found."""
    assert call_asgi(unisights_asgi(), Call(path="/other")).status == 404


def test_websockets_are_closed() -> None:
    """Without an app inside, a WebSocket is turned away."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(unisights_asgi()({"type": "websocket", "path": "/events"}, receive, send))
    assert sent == ["websocket.close"]


@pytest.mark.parametrize("path", ["/events", "/events/"])
def test_a_trailing_slash_makes_no_difference(connect: Any, path: str) -> None:
    """A redirect would lose the beacon, so both spellings are the endpoint."""
    assert connect().call(Call(path=path, headers=JSON, chunks=(make_body(),))).status == 200


@pytest.mark.parametrize(
    ("mount", "path", "posted"),
    [
        ("/collect", "/events", "/collect/events"),
        ("/collect", "/v1/events", "/collect/v1/events"),
        ("/events", "/events", "/events/"),
        ("/collect", "/", "/collect/"),
    ],
)
def test_it_can_be_mounted(mount: str, path: str, posted: str) -> None:
    """Mounted in Starlette, it answers on its path below the mount, or on its own path."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    endpoint = unisights_asgi(UnisightsOptions(path=path))
    app = Starlette(routes=[Mount(mount, app=endpoint)])
    assert call_asgi(app, Call(path=posted, headers=JSON, chunks=(make_body(),))).status == 200


def test_it_is_middleware_for_starlette() -> None:
    """`add_middleware` takes it as it takes any middleware."""
    from starlette.applications import Starlette

    app = Starlette()
    app.add_middleware(UnisightsASGI, options=UnisightsOptions(path="/beacon"))  # type: ignore[arg-type]
    call = Call(path="/beacon", headers=JSON, chunks=(make_body(),))
    assert call_asgi(app, call).status == 200
    assert call_asgi(app, Call(path="/other")).status == 404


def test_the_request_is_an_immutable_snapshot(recorder: Any) -> None:
    """The handler's second argument is a RequestInfo that nobody can change."""
    app = unisights_asgi(UnisightsOptions(handler=recorder))
    call_asgi(app, Call(headers={**JSON, "X-Trace": "abc"}, chunks=(make_body(),)))
    (info,) = recorder.requests
    assert isinstance(info, RequestInfo)
    assert (info.method, info.path, info.client) == ("POST", "/events", "192.0.2.7")
    assert info.headers["x-trace"] == "abc"
    assert info.received_at == recorder.payloads[0].received_at
    with pytest.raises(AttributeError):
        info.method = "GET"
    with pytest.raises(TypeError):
        info.headers["x-trace"] = "other"


def test_an_expecting_sender_is_refused_before_it_sends() -> None:
    """With `Expect: 100-continue`, a refusal comes without asking for the body."""
    asked = False

    async def receive() -> Any:
        nonlocal asked
        asked = True
        return {"type": "http.request", "body": b""}

    statuses: list[int] = []

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/events",
        "headers": [(b"content-length", b"9999999"), (b"expect", b"100-continue")],
    }
    asyncio.run(unisights_asgi()(scope, receive, send))
    assert statuses[0] == 413
    assert not asked


def test_the_event_loop_stays_responsive_under_large_ciphertexts() -> None:
    """While megabytes are decrypted, the loop goes on serving others."""
    import json

    from tests.support import click, make_data, seal

    data = make_data(events=[click(timestamp=number) for number in range(40_000)])
    body = json.dumps(seal(json.dumps(data).encode())).encode()
    app = unisights_asgi(UnisightsOptions(max_payload_size=8 * 1024 * 1024))
    gaps: list[float] = []

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    async def main() -> int:
        watcher = asyncio.create_task(watch())
        answer = await acall_asgi(app, Call(headers=JSON, chunks=(body,)))
        watcher.cancel()
        return answer.status

    assert asyncio.run(main()) == 200
    # The loop got its turn again and again, rather than once at the end.
    assert len(gaps) >= 3


def test_a_spool_is_taken_up_when_the_server_starts(tmp_path: Path) -> None:
    """What the spool holds is delivered with no request to begin with, once the app inside runs."""
    path = tmp_path / "spool.sqlite3"
    fill(path, 3)
    order: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.sleep(0.05)
        order.append("started")
        await send({"type": "lifespan.startup.complete"})
        await asyncio.to_thread(wait_for, lambda: len(order) == 4, "the deliveries")
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    options = UnisightsOptions(delivery=Durable(path), handler=lambda *_: order.append("delivered"))
    answers = _lifespan(unisights_asgi(options, inner), "lifespan.startup", "lifespan.shutdown")
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert order == ["started", "delivered", "delivered", "delivered"]
    assert query(path, "SELECT count(*) FROM owners") == [(0,)]


def test_a_spool_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    """The server is told why, rather than starting to refuse every payload."""
    path = tmp_path / "spool.sqlite3"
    app = unisights_asgi(UnisightsOptions(delivery=Durable(path)))
    fill(path, 0)
    query(path, "PRAGMA user_version = 99")
    answers: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.shutdown" if answers else "lifespan.startup"}

    async def send(message: Any) -> None:
        answers.append(message)

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert answers[0]["type"] == "lifespan.startup.failed"
    assert "newer version" in answers[0]["message"]


def _greedy(app: Any) -> Any:
    """Middleware that adds a header of its own to whatever list an answer has."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        async def send_more(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"set-cookie", scope["path"].encode()))
            await send(message)

        await app(scope, receive, send_more)

    return wrapped


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_what_middleware_adds_is_not_kept(method: str) -> None:
    """The headers of an answer are its own: what is added to one does not show in the next."""
    app = _greedy(unisights_asgi())
    for _ in range(3):
        headers = {"origin": "https://page.example", **JSON}
        call = Call(method, headers=headers, chunks=(make_body(),))
        reply = call_asgi(app, call)
        assert [value for name, value in reply.headers if name == "set-cookie"] == ["/events"]


def test_servers_may_write_headers_as_they_like() -> None:
    """Names in capitals, as some servers leave them, and any iterable of pairs are understood."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": make_body(), "more_body": False}

    def post(**headers: str) -> int:
        pairs = ((name.encode(), value.encode()) for name, value in headers.items())
        scope = {"type": "http", "method": "POST", "path": "/events", "headers": pairs}
        sent.clear()
        app = unisights_asgi(UnisightsOptions(allow_origins=["https://page.example"]))
        asyncio.run(app(scope, receive, send))
        status: int = sent[0]["status"]
        return status

    assert post(Origin="https://page.example") == 200
    assert post(Origin="https://other.example") == 403
    assert post(**{"Content-Type": "text/plain"}) == 415


def test_an_event_loop_that_is_not_asyncios_ends_the_start() -> None:
    """Such as Trio's: the message says so, and no payload is lost later."""

    async def begin() -> None:
        async with unisights_asgi().lifespan():
            pass

    with pytest.raises(ConfigurationError, match="event loop of asyncio"):
        begin().send(None)
