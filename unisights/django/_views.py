"""The endpoint as a sync or an async view."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from unisights._delivery.naming import name_endpoint
from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._endpoint.base import Endpoint
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._http.body import AsyncStreamBody, StreamBody, declared_length
from unisights._http.responses import HTTPResponse
from unisights._http.wsgi import read_body, read_info
from unisights._runtime.log import log
from unisights.config import UnisightsOptions
from unisights.control import EndpointControl
from unisights.delivery import Inline
from unisights.django._callers import CALLERS, loop_ends
from unisights.django._settings import is_app_installed, read_options
from unisights.errors import ConfigurationError, StoreError
from unisights.request import RequestInfo

Made = TypeVar("Made", bound=Endpoint)
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

    It is exempt from CSRF protection, as beacons have no token, from `LoginRequiredMiddleware`, as
    they follow no redirect, and from `ATOMIC_REQUESTS`, as `on_error` may have to store what the
    handler could not. The handler's second argument is Django's request, whose `body` can be read;
    unless delivery is inline, it is the `RequestInfo`.

    Async functions run on the process's event loop. What they and sync functions do with the ORM
    before the response is done in the request's thread.

    Args:
        options: the endpoint's options; None for those of the setting `UNISIGHTS`, or for the
            defaults. `path` is not used.

    Raises:
        ConfigurationError: the setting is wrong, and no system check reports that, as the app
            `unisights.django` is not installed. With the app, the endpoint refuses all payloads.
        StoreError: likewise, the spool can be seen to be unusable.
    """
    endpoint = _make(SyncEndpoint, options)

    def collect(request: HttpRequest) -> HttpResponse:
        if isinstance(request, ASGIRequest):
            # Django runs no lifespan: nobody but a signal says that the process ends.
            endpoint.delivery.defers_signals = True
        info = read_info(request.META, request.path)
        body = _read_body(request, info)
        return _to_response(endpoint.serve(info, body, lambda raw: _rewind(request, raw)))

    return _as_view(collect, endpoint)


def unisights_django_async(
    options: UnisightsOptions | None = None,
) -> UnisightsView[Awaitable[HttpResponse]]:
    """Make an async view that serves the endpoint; otherwise it is like the sync view.

    Inline, async functions run on the server's event loop. Under WSGI, where each request has a
    loop of its own, they run on the process's, as for the sync view.

    Args:
        options: as for `unisights_django`.

    Raises:
        ConfigurationError, StoreError: as for `unisights_django`.
    """
    endpoint = _make(AsyncEndpoint, options)

    async def collect(request: HttpRequest) -> HttpResponse:
        loop_ends.set(not isinstance(request, ASGIRequest))
        info = read_info(request.META, request.path)
        # Under ASGI, Django has received the whole body by now; under WSGI, this event loop serves
        # this request only. So a read may block.
        body = AsyncStreamBody(_read_body(request, info))
        return _to_response(await endpoint.serve(info, body, lambda raw: _rewind(request, raw)))

    return _as_view(collect, endpoint)


class _EveryDatabase(set[str]):
    """The aliases of all databases, whatever the settings name."""

    def __contains__(self, alias: object) -> bool:
        return True


def _make(kind: Callable[..., Made], options: UnisightsOptions | None) -> Made:
    """Make an endpoint. If a system check reports that the settings are wrong, it is closed."""
    try:
        used = read_options() if options is None else options
        endpoint = kind(used, Inline(), CALLERS, request_type=HttpRequest)
    except (ConfigurationError, StoreError) as error:
        if options is not None or not is_app_installed():
            raise
        message = "the endpoint refuses all payloads: %s"
        log(logging.CRITICAL, "settings_wrong", message, error)
        closed = kind(UnisightsOptions(), Inline(), CALLERS, request_type=HttpRequest)
        closed.delivery.close()
        return closed
    # Its path is in the URLconf, not in the options.
    endpoint.delivery.name = name_endpoint("a Django view", used.handler)
    return endpoint


def _as_view(
    collect: Callable[[HttpRequest], Returned_co], endpoint: Endpoint
) -> UnisightsView[Returned_co]:
    view = cast("Any", collect)
    view.unisights = endpoint.control
    view._unisights_endpoint = endpoint  # noqa: SLF001  # see `endpoint_of`
    # As Django's decorators do. `csrf_exempt` hides before Django 5 that a view is a coroutine
    # function, and `non_atomic_requests` takes one database. With that on, an async view fails.
    view.csrf_exempt = True
    view.login_required = False
    view._non_atomic_requests = _EveryDatabase()  # noqa: SLF001
    return cast("UnisightsView[Returned_co]", view)


def endpoint_of(view: object) -> Endpoint | None:
    """Return the endpoint that a view serves, also if it was decorated; None for other views."""
    endpoint: Endpoint | None = getattr(view, "_unisights_endpoint", None)
    return endpoint


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
