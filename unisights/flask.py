"""Flask: the endpoint as a blueprint."""

import io
import re

try:
    from flask import Blueprint, Request, Response, request
except ImportError as error:
    raise ImportError("unisights.flask needs Flask: pip install 'unisights[flask]'") from error

from unisights._endpoint.synchronous import SyncEndpoint
from unisights._http.body import StreamBody, declared_length
from unisights._http.responses import HTTPResponse
from unisights._http.wsgi import read_body, read_info
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


def unisights_flask(options: UnisightsOptions | None = None) -> UnisightsBlueprint:
    """Make a blueprint that serves the endpoint, to be passed to `app.register_blueprint`.

    By default the handler runs in the background, after the response, and its second argument is
    the `RequestInfo`. With `delivery="inline"` it runs before the response, and its second
    argument is Flask's `Request`, whose body can be read again.

    Args:
        options: the endpoint's options; None for the defaults.
    """
    options = options or UnisightsOptions()
    endpoint = SyncEndpoint(options, Background())
    name = re.sub(r"\W+", "_", f"unisights{options.path}")
    blueprint = UnisightsBlueprint(name, __name__)
    blueprint.unisights = endpoint.control

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
