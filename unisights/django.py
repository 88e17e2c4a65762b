"""Django: the endpoint as a view, sync or async. Its path is the URLconf's."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

try:
    from asgiref.sync import async_to_sync
    from django.core.handlers.asgi import ASGIRequest
    from django.http import HttpRequest, HttpResponse
except ImportError as error:
    raise ImportError("unisights.django needs Django: pip install 'unisights[django]'") from error

from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._http.body import declared_length
from unisights._http.responses import HTTPResponse
from unisights._http.wsgi import Read, body_reader, read_info, safe_reader
from unisights.collector import Collector
from unisights.config import UnisightsOptions
from unisights.request import RequestInfo

Answer_co = TypeVar("Answer_co", covariant=True)


class UnisightsView(Protocol[Answer_co]):
    """A view that serves the endpoint.

    Attributes:
        collector: the endpoint's core; its `stats()` tell what it has counted.
    """

    collector: Collector

    def __call__(self, request: HttpRequest) -> Answer_co:
        """Answer a request."""


def unisights_django(options: UnisightsOptions | None = None) -> UnisightsView[HttpResponse]:
    """Make a sync view that serves the endpoint; exempt from CSRF, as beacons bring no token.

    The handler's second argument is Django's request, whose `body` can be read; with
    `delivery="background"` or `"durable"`, it is the `RequestInfo`.
    """
    endpoint = SyncEndpoint(options or UnisightsOptions(), "inline")

    def collect(request: HttpRequest) -> HttpResponse:
        if isinstance(request, ASGIRequest):
            _defer_signals(endpoint)
        response = endpoint.serve(
            _read_info(request), _body_reader(request), lambda body: _rewind(request, body)
        )
        return _to_response(response)

    return _as_view(collect, endpoint.collector)


def unisights_django_async(
    options: UnisightsOptions | None = None,
) -> UnisightsView[Awaitable[HttpResponse]]:
    """Make an async view that serves the endpoint, for ASGI; exempt from CSRF likewise.

    Async handlers run on the server's event loop, sync ones in a thread.
    """
    # Django does not speak the lifespan protocol, so the endpoint holds signals.
    endpoint = AsyncEndpoint(options or UnisightsOptions(), "inline")

    async def collect(request: HttpRequest) -> HttpResponse:
        read_now = _body_reader(request)

        async def read(size: int) -> bytes | None:
            # Under ASGI, Django has the whole body before it calls a view: this does not block.
            return read_now(size)

        info = _read_info(request)
        response = await endpoint.serve(
            info,
            read,
            lambda body: _rewind(request, body),
            length=None if isinstance(request, ASGIRequest) else declared_length(info),
        )
        return _to_response(response)

    return _as_view(collect, endpoint.collector)


def _as_view(
    collect: Callable[[HttpRequest], Answer_co], collector: Collector
) -> UnisightsView[Answer_co]:
    view = cast("Any", collect)
    view.collector = collector
    # What Django's decorator does; that one hides a coroutine function before Django 5.
    view.csrf_exempt = True
    return cast("UnisightsView[Answer_co]", view)


def _defer_signals(endpoint: SyncEndpoint) -> None:
    """Under ASGI, a sync view runs beside the server's thread; signals are handled there."""

    async def hold() -> None:  # where it runs is what matters
        endpoint.delivery.defer_signals()

    if not endpoint.delivery.defers_signals:
        endpoint.delivery.defers_signals = True
        async_to_sync(hold)()


def _read_info(request: HttpRequest) -> RequestInfo:
    return read_info(request.META, request.path)


def _body_reader(request: HttpRequest) -> Read:
    """A reader that no limit of Django's comes before, and that takes chunked bodies."""
    environ = getattr(request, "environ", None)
    if environ is not None and not environ.get("CONTENT_LENGTH"):
        # Django takes a body without a length for none.
        return body_reader(environ)
    return safe_reader(request.read)


def _rewind(request: HttpRequest, body: bytes) -> HttpRequest:
    """Let the handler read the body that was read already."""
    request._body = body  # noqa: SLF001  # there is no public way
    return request


def _to_response(response: HTTPResponse) -> HttpResponse:
    headers = dict(response.headers)
    if response.status != 204:
        headers["content-length"] = str(len(response.body))
    django_response = HttpResponse(response.body, status=response.status, headers=headers)
    if not response.body:
        # Django's own content type must not stay where the response has none.
        del django_response["content-type"]
    return django_response
