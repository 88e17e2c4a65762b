"""FastAPI: the endpoint as a router, with its schema in the app's OpenAPI."""

from collections.abc import AsyncIterator, Callable, Coroutine
from functools import cached_property
from inspect import getclosurevars
from types import MethodType
from typing import Any, cast

try:
    from fastapi import APIRouter, Request, Response
    from fastapi.routing import APIRoute
    from starlette.requests import ClientDisconnect
    from starlette.routing import Route
except ImportError as error:
    raise ImportError(
        "unisights.fastapi needs FastAPI: pip install 'unisights[fastapi]'"
    ) from error

from unisights._endpoint.asgi import ASGIEndpoint
from unisights._http.asgi import Message, Receive, Scope, Send
from unisights.collector import Collector
from unisights.config import UnisightsOptions
from unisights.request import RequestInfo
from unisights.schema import inlined_schema


class UnisightsRouter(APIRouter):
    """A router that serves the endpoint.

    Attributes:
        collector: the endpoint's core; its `stats()` tell what it has counted.
    """

    collector: Collector


def unisights_fastapi(options: UnisightsOptions | None = None) -> UnisightsRouter:
    """Make a router that serves the endpoint, to be passed to `app.include_router`.

    Prefixes, tags and dependencies of `include_router` work as for any router; preflights pass
    the dependencies by, as browsers send them without cookies. The handler's second argument is
    FastAPI's `Request`, whose body can be read again; with `delivery="background"` or
    `"durable"`, it is the `RequestInfo`.
    """
    options = options or UnisightsOptions()
    endpoint = ASGIEndpoint(options, _make_request)
    collect = _Collect(endpoint)
    router = UnisightsRouter(lifespan=endpoint.lifespan, route_class=_Route)
    router.collector = endpoint.collector
    bare = options.path.rstrip("/")
    # FastAPI would redirect from the one to the other, and a beacon does not follow.
    for path in {options.path: None, f"{bare}/": None, bare or "/": None}:
        router.add_api_route(
            path,
            collect.answer,
            methods=["POST"],
            name="unisights_collect",
            summary="Receive analytics events",
            description="Takes in one batch of events of the unisights browser client.",
            tags=["unisights"],
            response_class=Response,
            responses=_documented_responses(),
            openapi_extra=_documented_request(),
            include_in_schema=path == options.path,
        )
        # All other methods: preflights and refusals.
        router.routes.append(Route(path, endpoint=endpoint, include_in_schema=False))
    return router


class _Collect:
    """The endpoint as a function that FastAPI calls once it has run the dependencies."""

    def __init__(self, endpoint: ASGIEndpoint) -> None:
        self.endpoint = endpoint

    async def answer(self, request: Request) -> Response:
        return _EndpointResponse(self.endpoint, request)


class _Route(APIRoute):
    """Serves the endpoint itself wherever FastAPI has nothing to do: with no dependencies."""

    _has_dependencies = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI asks for it wherever the router is included, maybe with dependencies."""
        handler = super().get_route_handler()
        # What has replaced FastAPI's own function has its reasons: it is called.
        dependant = getclosurevars(handler).nonlocals.get("dependant")
        if dependant is None or dependant.dependencies:
            self._has_dependencies = True
        return handler

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Serve a request that has matched."""
        if self._has_dependencies:
            return super().handle(scope, receive, send)
        collect = cast("_Collect", cast("MethodType", self.endpoint).__self__)
        return collect.endpoint(scope, receive, send)


class _EndpointResponse(Response):
    """Runs the endpoint in the place of a response, once FastAPI has run the dependencies."""

    def __init__(self, endpoint: ASGIEndpoint, request: Request) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await self._endpoint(scope, self._receive, send)
        if self.background is not None:
            await self.background()

    @cached_property
    def _chunks(self) -> AsyncIterator[bytes]:
        """The body's pieces, also if a dependency has read the body before."""
        return self._request.stream()

    async def _receive(self) -> Message:
        try:
            chunk = await anext(self._chunks, None)
        except ClientDisconnect:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}


def _make_request(scope: Scope, _info: RequestInfo, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


def _documented_request() -> dict[str, Any]:
    content = {"application/json": {"schema": inlined_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def _documented_responses() -> dict[int | str, dict[str, Any]]:
    text = {"type": "string"}
    received = _object(
        {
            "status": text,
            "session_id": {"type": "string", "format": "uuid"},
            "quarantined": {
                "type": "integer",
                "minimum": 1,
                "description": "How many events were invalid, if some were and were quarantined.",
            },
        }
    )
    error = _object({"error": text})
    problem = _object({"pointer": text, "rule": text, "message": text})
    invalid = _object({"error": text, "errors": {"type": "array", "items": problem}})
    return {
        200: _documented("The payload was valid and the handler has run.", received),
        202: _documented("The payload was valid and the handler will run.", received),
        400: _documented("The body is not JSON.", error),
        403: _documented("Pages of this origin may not send.", error),
        413: _documented("The body is too large.", error),
        415: _documented("The content type is not JSON.", error),
        422: _documented("The payload is not valid; every problem is listed.", invalid),
        500: _documented("The handler failed.", error),
        503: _documented("The queue or spool is full, or the server is shutting down.", error),
    }


def _documented(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}
