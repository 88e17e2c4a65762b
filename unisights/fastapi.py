"""FastAPI: the endpoint as a router, with its schema in the app's OpenAPI."""

from typing import Any

try:
    from fastapi import APIRouter, Request, Response
except ImportError as error:
    raise ImportError(
        "unisights.fastapi needs FastAPI: pip install 'unisights[fastapi]'"
    ) from error

from unisights.asgi import ASGIEndpoint, Message, Receive, Scope, Send
from unisights.config import UnisightsOptions
from unisights.request import RequestInfo
from unisights.schema import inlined_schema

_OTHER_METHODS = ["OPTIONS", "GET", "HEAD", "PUT", "PATCH", "DELETE"]


def unisights_fastapi(options: UnisightsOptions | None = None) -> APIRouter:
    """Make a router that serves the endpoint, to be passed to `app.include_router`.

    Prefixes, tags and dependencies of `include_router` work as for any router. The handler's
    second argument is FastAPI's `Request`, whose body can be read again.
    """
    options = options or UnisightsOptions()
    endpoint = ASGIEndpoint(options, _make_request)

    async def collect() -> Response:
        return _EndpointResponse(endpoint)

    router = APIRouter(lifespan=endpoint.lifespan)
    router.add_api_route(
        options.path,
        collect,
        methods=["POST"],
        name="unisights_collect",
        summary="Receive analytics events",
        description="Takes in one batch of events of the unisights browser client.",
        tags=["unisights"],
        response_class=Response,
        responses=_documented_responses(),
        openapi_extra=_documented_request(),
    )
    router.add_api_route(options.path, collect, methods=_OTHER_METHODS, include_in_schema=False)
    if not options.path.endswith("/"):
        # FastAPI would redirect, and a browser does not follow with its beacon.
        methods = ["POST", *_OTHER_METHODS]
        router.add_api_route(f"{options.path}/", collect, methods=methods, include_in_schema=False)
    return router


class _EndpointResponse(Response):
    """Runs the endpoint in the place of a response, once FastAPI has run the dependencies."""

    def __init__(self, endpoint: ASGIEndpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)
        if self.background is not None:
            await self.background()


def _make_request(scope: Scope, _info: RequestInfo, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


def _documented_request() -> dict[str, Any]:
    content = {"application/json": {"schema": inlined_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def _documented_responses() -> dict[int | str, dict[str, Any]]:
    text = {"type": "string"}
    received = _object({"status": text, "session_id": {"type": "string", "format": "uuid"}})
    error = _object({"error": text})
    problem = _object({"pointer": text, "rule": text, "message": text})
    invalid = _object({"error": text, "errors": {"type": "array", "items": problem}})
    return {
        200: _documented("The payload was valid and the handler has run.", received),
        400: _documented("The body is not JSON.", error),
        403: _documented("Pages of this origin may not send.", error),
        413: _documented("The body is too large.", error),
        415: _documented("The content type is not JSON.", error),
        422: _documented("The payload is not valid; every problem is listed.", invalid),
        500: _documented("The handler failed.", error),
    }


def _documented(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}
