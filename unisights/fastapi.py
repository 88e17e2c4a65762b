"""FastAPI: the endpoint as a router, which shows the payload's schema in the app's OpenAPI."""

from collections.abc import AsyncIterator, Callable, Coroutine
from functools import cached_property
from inspect import getclosurevars
from typing import Any

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
from unisights._http.openapi import describe_request, describe_responses
from unisights._http.paths import spellings
from unisights.config import UnisightsOptions
from unisights.control import EndpointControl
from unisights.request import RequestInfo

_RouteHandler = Callable[[Request], Coroutine[Any, Any, Response]]


class UnisightsRouter(APIRouter):
    """A router that serves the endpoint.

    Attributes:
        unisights: the endpoint's counters and readiness; drains and closes it.
    """

    unisights: EndpointControl


def unisights_fastapi(
    options: UnisightsOptions[Request] | UnisightsOptions[RequestInfo] | None = None,
) -> UnisightsRouter:
    """Make a router that serves the endpoint, to be passed to `app.include_router`.

    The prefixes, tags and dependencies of `include_router` work as for any router. Preflights do
    not run the dependencies, as browsers send them without cookies. The handler's second argument
    is FastAPI's `Request`, whose body can be read again; unless delivery is inline, it is the
    `RequestInfo`.

    Args:
        options: the endpoint's options; None for the defaults.

    Raises:
        ConfigurationError: the handler asks for `Depends(…)`, or for a request of another class.
    """
    options = options or UnisightsOptions()
    endpoint = ASGIEndpoint(options, _make_request, request_type=Request)

    async def collect(request: Request) -> Response:
        return _EndpointResponse(endpoint, request)

    class EndpointRoute(_Route):
        serve = staticmethod(endpoint.__call__)

    router = UnisightsRouter(lifespan=endpoint.lifespan, route_class=EndpointRoute)
    router.unisights = endpoint.control
    for path in spellings(options.path):
        router.add_api_route(
            path,
            collect,
            methods=["POST"],
            name="unisights_collect",
            summary="Receive analytics events",
            description="Receives the events of one beacon of the unisights browser client.",
            tags=["unisights"],
            response_class=Response,
            responses=describe_responses(),
            openapi_extra=describe_request(),
            include_in_schema=path == options.path,
        )
        # Preflights, and all other methods, which are refused.
        router.routes.append(Route(path, endpoint=endpoint, include_in_schema=False))
    return router


class _Route(APIRoute):
    """A route that calls the endpoint itself if FastAPI has no dependencies to run before it."""

    serve: Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
    _is_direct = True

    def get_route_handler(self) -> _RouteHandler:
        """Make the handler of the route; FastAPI asks for one wherever the router is included."""
        handler = super().get_route_handler()
        if not _has_no_dependencies(handler):
            self._is_direct = False
        return handler

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Serve a request that the route matches."""
        if self._is_direct:
            return self.serve(scope, receive, send)
        return super().handle(scope, receive, send)


def _has_no_dependencies(handler: _RouteHandler) -> bool:
    """Whether a route handler is FastAPI's own and has no dependencies to run.

    FastAPI has no public way to ask. A route's `dependencies` are those of the route before its
    router was included; only the handler knows those that an inclusion adds, in a variable of its
    closure. If that variable is missing, because FastAPI has changed or because instrumentation
    has wrapped the handler, the answer is False and FastAPI calls its handler as for any route.
    """
    dependant = getclosurevars(handler).nonlocals.get("dependant")
    return dependant is not None and not dependant.dependencies


class _EndpointResponse(Response):
    """A response that runs the endpoint when it is sent, after the dependencies have run."""

    def __init__(self, endpoint: ASGIEndpoint, request: Request) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await self._endpoint(scope, self._receive, send)
        # FastAPI puts the background tasks of dependencies here.
        if self.background is not None:
            await self.background()

    @cached_property
    def _pieces(self) -> AsyncIterator[bytes]:
        """The pieces of the body, even if a dependency has read it before."""
        return self._request.stream()

    async def _receive(self) -> Message:
        try:
            piece = await anext(self._pieces, None)
        except ClientDisconnect:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}


def _make_request(scope: Scope, _info: RequestInfo, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)
