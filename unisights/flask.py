"""Flask: the endpoint as a blueprint."""

import contextlib
import io
import re
from typing import Any, cast

try:
    from flask import Blueprint, Flask, Request, Response, current_app, request
    from flask.blueprints import BlueprintSetupState
except ImportError as error:
    raise ImportError("unisights.flask needs Flask: pip install 'unisights[flask]'") from error

from unisights._endpoint.synchronous import SyncEndpoint
from unisights._http.body import StreamBody, declared_length
from unisights._http.responses import HTTPResponse
from unisights._http.wsgi import read_body, read_info
from unisights._runtime.callers import IN_THREAD, ON_LOOP, Caller, Callers
from unisights._runtime.context_caller import ContextCaller
from unisights.config import UnisightsOptions
from unisights.control import EndpointControl
from unisights.delivery import Background
from unisights.request import RequestInfo

_METHODS = ["POST", "OPTIONS", "GET", "HEAD", "PUT", "PATCH", "DELETE"]


class UnisightsBlueprint(Blueprint):
    """A blueprint that serves the endpoint.

    Attributes:
        unisights: the endpoint's counters and readiness; drains and closes it.
    """

    unisights: EndpointControl


def unisights_flask(
    options: UnisightsOptions[Request] | UnisightsOptions[RequestInfo] | None = None,
) -> UnisightsBlueprint:
    """Make a blueprint that serves the endpoint, to be passed to `app.register_blueprint`.

    By default the handler runs in the background, after the response, and its second argument is
    the `RequestInfo`. With `delivery="inline"` it runs before the response, and its second
    argument is Flask's `Request`, whose body can be read again.

    The handler, its `open` and `close`, `on_error` and `on_reject` run in the context of the app:
    in that of the request if they run before the response, else in a new one for each call. If the
    blueprint is registered in several apps, background delivery uses the app that received the
    request. Durable delivery, `open` and `close` use the app that has registered it last.

    Args:
        options: the endpoint's options; None for the defaults.

    Raises:
        ConfigurationError: the handler asks for a request of another class than it is given.
    """
    options = options or UnisightsOptions()
    apps = _Apps()
    endpoint = SyncEndpoint(options, Background(), apps.make_callers(), request_type=Request)
    name = re.sub(r"\W+", "_", f"unisights{options.path}")
    blueprint = UnisightsBlueprint(name, __name__)
    blueprint.unisights = endpoint.control
    blueprint.record(apps.note)

    # `strict_slashes=False` serves the path with and without a trailing slash: no beacon follows a
    # redirect.
    @blueprint.route(
        options.path, methods=_METHODS, provide_automatic_options=False, strict_slashes=False
    )
    def collect() -> Response:
        actual = _actual_request()
        info = read_info(actual.environ, actual.script_root + actual.path)
        body = _read_body(actual, info)
        return _to_response(endpoint.serve(info, body, lambda raw: _rewind(actual, raw)))

    return blueprint


class _Apps:
    """The app whose context the user's functions run in, outside of requests."""

    def __init__(self) -> None:
        self._latest: Flask | None = None

    def note(self, state: BlueprintSetupState) -> None:
        """Use the app that registers the blueprint."""
        self._latest = cast("Flask", state.app)

    def make_callers(self) -> Callers:
        """Make the callers of the blueprint's endpoint; in requests, Flask has made a context."""
        return _FlaskCallers(
            in_worker=ContextCaller(IN_THREAD, self._enter),
            in_loop_worker=ContextCaller(ON_LOOP, self._enter),
        )

    def _enter(self) -> contextlib.AbstractContextManager[Any]:
        # `unisights deliver` may be given a blueprint that no app has registered.
        return contextlib.nullcontext() if self._latest is None else self._latest.app_context()


class _FlaskCallers(Callers):
    """Calls functions after the response in a context of the app that received the request."""

    def after_response(self) -> Caller:
        """Return a caller for the present request's app."""
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        return ContextCaller(IN_THREAD, app.app_context)


def _actual_request() -> Request:
    """Return the request itself: Flask's proxy for it works in this thread only.

    Despite its underscore, the method is the one that Flask documents for this.
    """
    actual: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return actual


def _read_body(actual: Request, info: RequestInfo) -> StreamBody:
    """Return the body of the request, even if the app has begun to read it before."""
    # `stream` is a cached property: it is in `vars` once anything has read the body through the
    # request. Then the stream of the server may be at its end.
    if "stream" not in vars(actual):
        return read_body(actual.environ, info)
    # Flask keeps the bytes that were read through the request; the server has them no more.
    kept: io.BytesIO | None = None

    def read(size: int) -> bytes:
        nonlocal kept
        kept = kept or io.BytesIO(actual.get_data())
        return kept.read(size)

    return StreamBody(read, declared_length(info))


def _rewind(actual: Request, body: bytes) -> Request:
    """Let the handler read the body again."""
    actual.environ["wsgi.input"] = io.BytesIO(body)
    actual.environ["CONTENT_LENGTH"] = str(len(body))
    actual.environ.pop("HTTP_TRANSFER_ENCODING", None)
    return actual


def _to_response(response: HTTPResponse) -> Response:
    flask_response = Response(response.body, response.status, [*response.headers])
    if not response.body:
        # Flask adds a content type of its own, which an empty response must not have.
        del flask_response.headers["Content-Type"]
    return flask_response
