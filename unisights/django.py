"""Django: the endpoint as a sync or an async view. The URLconf gives it its path."""

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
from unisights._http.body import AsyncStreamBody, StreamBody, declared_length
from unisights._http.responses import HTTPResponse
from unisights._http.wsgi import read_body, read_info
from unisights.config import UnisightsOptions
from unisights.control import EndpointControl
from unisights.delivery import Inline
from unisights.request import RequestInfo

Returned_co = TypeVar("Returned_co", covariant=True)


class UnisightsView(Protocol[Returned_co]):
    """A view that serves the endpoint.

    Attributes:
        unisights: the endpoint's counters and readiness; drains and closes it.
    """

    unisights: EndpointControl

    def __call__(self, request: HttpRequest) -> Returned_co:
        """Serve a request."""


def unisights_django(options: UnisightsOptions | None = None) -> UnisightsView[HttpResponse]:
    """Make a sync view that serves the endpoint.

    It is exempt from CSRF protection, as beacons have no token. The handler's second argument is
    Django's request, whose `body` can be read; unless delivery is inline, it is the
    `RequestInfo`.

    Args:
        options: the endpoint's options; None for the defaults. `path` is not used.
    """
    endpoint = SyncEndpoint(options or UnisightsOptions(), Inline(), request_type=HttpRequest)

    def collect(request: HttpRequest) -> HttpResponse:
        if isinstance(request, ASGIRequest):
            _defer_signals(endpoint)
        info = read_info(request.META, request.path)
        body = _read_body(request, info)
        return _to_response(endpoint.serve(info, body, lambda raw: _rewind(request, raw)))

    return _as_view(collect, endpoint.control)


def unisights_django_async(
    options: UnisightsOptions | None = None,
) -> UnisightsView[Awaitable[HttpResponse]]:
    """Make an async view that serves the endpoint; otherwise it is like the sync view.

    Async handlers run on the server's event loop, sync handlers in a thread.

    Args:
        options: the endpoint's options; None for the defaults. `path` is not used.
    """
    endpoint = AsyncEndpoint(options or UnisightsOptions(), Inline(), request_type=HttpRequest)

    async def collect(request: HttpRequest) -> HttpResponse:
        info = read_info(request.META, request.path)
        # Under ASGI, Django has received the whole body by now; under WSGI, this event loop serves
        # this request only. So a read may block.
        body = AsyncStreamBody(_read_body(request, info))
        return _to_response(await endpoint.serve(info, body, lambda raw: _rewind(request, raw)))

    return _as_view(collect, endpoint.control)


def _as_view(
    collect: Callable[[HttpRequest], Returned_co], control: EndpointControl
) -> UnisightsView[Returned_co]:
    view = cast("Any", collect)
    view.unisights = control
    # As `csrf_exempt` does, which before Django 5 hides that a view is a coroutine function.
    view.csrf_exempt = True
    return cast("UnisightsView[Returned_co]", view)


def _defer_signals(endpoint: SyncEndpoint) -> None:
    """Defer signals from the server's main thread; under ASGI, sync views run in another."""

    async def defer() -> None:  # `async_to_sync` runs it on the server's event loop
        endpoint.delivery.defer_signals()

    if not endpoint.delivery.defers_signals:
        endpoint.delivery.defers_signals = True
        async_to_sync(defer)()


def _read_body(request: HttpRequest, info: RequestInfo) -> StreamBody:
    """Return the body of the request, which bypasses Django's own size limits."""
    environ = getattr(request, "environ", {})  # ASGI's requests have none.
    if environ and not environ.get("CONTENT_LENGTH"):
        # Django would read no chunked body: it takes a missing length for 0.
        return read_body(environ, info)
    return StreamBody(request.read, declared_length(info))


def _rewind(request: HttpRequest, body: bytes) -> HttpRequest:
    """Let the handler read the body again.

    Django has no public way to do so: `body` cannot be set, and cannot be read after the stream.
    """
    request._body = body  # noqa: SLF001
    return request


def _to_response(response: HTTPResponse) -> HttpResponse:
    headers = dict(response.headers)
    if (length := response.content_length) is not None:
        headers["content-length"] = str(length)
    django_response = HttpResponse(response.body, status=response.status, headers=headers)
    if not response.body:
        # Django adds a content type of its own, which an empty response must not have.
        del django_response["content-type"]
    return django_response
