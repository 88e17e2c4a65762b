"""What FastAPI alone has: routers, dependencies, OpenAPI, its own middleware."""

from typing import Annotated, Any

import pytest

pytest.importorskip("fastapi")

import fastapi.routing
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware

import unisights.fastapi
from tests.adapters.drivers import Call, call_asgi
from tests.referee import MEMBERS
from tests.support import make_body
from unisights import UnisightsOptions
from unisights.fastapi import unisights_fastapi

JSON = {"content-type": "application/json"}


def _post(app: Any, path: str = "/events", **headers: str) -> Any:
    return call_asgi(app, Call(path=path, headers={**JSON, **headers}, chunks=(make_body(),)))


def test_the_router_takes_a_prefix() -> None:
    """`include_router(prefix=…)` goes before the options' path."""
    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(path="/events")), prefix="/api")
    assert _post(app, "/api/events").status == 200
    assert _post(app, "/events").status == 404


def test_dependencies_run_first() -> None:
    """Dependencies of `include_router` decide before the endpoint does, and may add tasks."""
    ran: list[str] = []

    def guard(tasks: BackgroundTasks, x_key: Annotated[str, Header()] = "") -> None:
        if x_key != "open":
            raise HTTPException(401)
        tasks.add_task(ran.append, "task")

    app = FastAPI()
    app.include_router(unisights_fastapi(), dependencies=[Depends(guard)])
    assert _post(app).status == 401
    assert _post(app, **{"x-key": "open"}).status == 200
    assert ran == ["task"]


@pytest.mark.parametrize("place", ["app", "outer router", "router", "include"])
def test_dependencies_of_every_place_run(place: str) -> None:
    """Dependencies run wherever they were declared, and only there."""
    calls: list[str] = []

    def note(request: Request) -> None:
        calls.append(request.url.path)

    declared = [Depends(note)]
    router = unisights_fastapi(UnisightsOptions(path="/a"))
    if place == "router":
        router = APIRouter(dependencies=declared)
        router.include_router(unisights_fastapi(UnisightsOptions(path="/a")))
    outer = APIRouter(dependencies=declared if place == "outer router" else None)
    outer.include_router(router)
    app = FastAPI(dependencies=declared if place == "app" else None)
    app.include_router(outer, dependencies=declared if place == "include" else None)
    assert _post(app, "/a").status == 200
    assert calls == ["/a"]


def test_dependencies_of_one_inclusion_are_its_own() -> None:
    """A router that is included twice runs the dependencies where they were declared."""
    calls: list[str] = []

    def note(request: Request) -> None:
        calls.append(request.url.path)

    router = unisights_fastapi(UnisightsOptions(path="/a"))
    app = FastAPI()
    app.include_router(router, prefix="/open")
    app.include_router(router, prefix="/guarded", dependencies=[Depends(note)])
    for path in ("/open/a", "/guarded/a", "/open/a"):
        assert _post(app, path).status == 200
    assert calls == ["/guarded/a"]


def _note_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each request that FastAPI's own handler passes on to the endpoint."""
    calls: list[str] = []

    class Noted(unisights.fastapi._EndpointResponse):
        def __init__(self, endpoint: Any, request: Request) -> None:
            super().__init__(endpoint, request)
            calls.append(request.url.path)

    monkeypatch.setattr("unisights.fastapi._EndpointResponse", Noted)
    return calls


def test_without_dependencies_the_endpoint_is_called_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FastAPI's own handler costs time; if this fails, FastAPI shows dependencies otherwise."""
    calls = _note_calls(monkeypatch)
    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(path="/a")), prefix="/open")
    outer = APIRouter(dependencies=[Depends(lambda: None)])
    outer.include_router(unisights_fastapi(UnisightsOptions(path="/b")))
    app.include_router(outer)
    for path in ("/open/a", "/b"):
        assert _post(app, path).status == 200
    assert calls == ["/b"]


@pytest.mark.parametrize("place", ["get_request_handler", "APIRoute.get_route_handler"])
def test_what_wraps_fastapis_handler_is_called(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Instrumentation that replaces the route's handler sees every request."""
    seen: list[str] = []
    *holder, name = place.split(".")
    target = fastapi.routing.APIRoute if holder else fastapi.routing
    original = getattr(target, name)

    def wrap(*arguments: Any, **named: Any) -> Any:
        handler = original(*arguments, **named)

        async def wrapped(request: Request) -> Any:
            seen.append(request.url.path)
            return await handler(request)

        return wrapped

    monkeypatch.setattr(target, name, wrap)
    app = FastAPI()
    app.include_router(unisights_fastapi())
    assert _post(app).status == 200
    assert seen == ["/events"]


def test_dependencies_may_read_the_body() -> None:
    """A dependency that reads the body leaves it readable for the endpoint."""

    async def measure(request: Request) -> None:
        assert await request.body() == make_body()

    app = FastAPI()
    app.include_router(unisights_fastapi(), dependencies=[Depends(measure)])
    assert _post(app).status == 200


def test_preflights_pass_dependencies_by() -> None:
    """A browser sends preflights without cookies: what guards the POST must not refuse them."""

    def guard() -> None:
        raise HTTPException(401)

    app = FastAPI()
    app.include_router(unisights_fastapi(), dependencies=[Depends(guard)])
    assert _post(app).status == 401
    preflight = call_asgi(app, Call("OPTIONS", headers={"origin": "https://page.example"}))
    assert preflight.status == 204


@pytest.mark.parametrize("path", ["/events", "/events/"])
@pytest.mark.parametrize("posted", ["/api/events", "/api/events/"])
def test_neither_spelling_of_the_path_redirects(path: str, posted: str) -> None:
    """With or without a trailing slash, declared or posted: the beacon arrives."""
    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(path=path)), prefix="/api")
    assert _post(app, posted).status == 200


def test_the_handler_gets_fastapis_request() -> None:
    """The second argument is FastAPI's own request, and its body can be read again."""
    seen: list[Any] = []

    async def handler(payload: Any, request: Request) -> None:
        seen.append((request, await request.body()))

    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(handler=handler)))
    assert _post(app).status == 200
    ((request, body),) = seen
    assert isinstance(request, Request)
    assert request.app is app
    assert body == make_body()


def test_openapi_shows_the_request_schema() -> None:
    """openapi.json documents one operation, with the whole payload and every answer."""
    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(path="/api/events")))
    document = app.openapi()
    assert list(document["paths"]) == ["/api/events"]
    (operation,) = document["paths"]["/api/events"].values()
    plain, sealed, enveloped = operation["requestBody"]["content"]["application/json"]["schema"][
        "oneOf"
    ]
    assert plain["properties"]["data"]["properties"]["session_id"]["minLength"] == 36
    events = plain["properties"]["data"]["properties"]["events"]["items"]["oneOf"]
    assert [event["title"] for event in events] == list(MEMBERS.values())
    assert "tag" in sealed["properties"]
    assert "ciphertext" in enveloped["properties"]["envelope"]["properties"]
    assert {"200", "400", "403", "413", "415", "422", "500"} <= set(operation["responses"])
    assert "$ref" not in str(document)


def test_the_documentation_page_is_served() -> None:
    """/docs and /openapi.json answer, with the endpoint in them."""
    app = FastAPI()
    app.include_router(unisights_fastapi())
    assert call_asgi(app, Call("GET", "/docs", headers={})).status == 200
    assert b"unisights" in call_asgi(app, Call("GET", "/openapi.json", headers={})).body


@pytest.mark.parametrize(
    "settings",
    [
        {"allow_origins": ["*"]},
        {"allow_origins": ["https://page.example"], "allow_credentials": True},
        {"allow_origins": ["*"], "allow_credentials": True},
        {"allow_origins": ["https://other.example"]},
    ],
)
def test_there_is_one_origin_header_beside_corsmiddleware(settings: dict[str, Any]) -> None:
    """An app that also runs CORSMiddleware sends the header once, on answers and preflights."""
    app = FastAPI()
    app.add_middleware(CORSMiddleware, **settings)
    app.include_router(unisights_fastapi())
    origin = "https://page.example"
    answer = _post(app, origin=origin)
    assert answer.status == 200
    assert answer.header("access-control-allow-origin") in {origin, "*"}
    preflight = call_asgi(
        app, Call("OPTIONS", headers={"origin": origin, "access-control-request-method": "POST"})
    )
    preflight.header("access-control-allow-origin")  # fails if it came twice


def test_two_endpoints_live_in_one_app() -> None:
    """Each router has its own options."""
    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions(path="/a", max_payload_size=10)))
    app.include_router(unisights_fastapi(UnisightsOptions(path="/b")))
    assert _post(app, "/a").status == 413
    assert _post(app, "/b").status == 200
