"""Flask: the endpoint as a blueprint."""

import io
import re

try:
    from flask import Blueprint, Request, Response, request
except ImportError as error:
    raise ImportError("unisights.flask needs Flask: pip install 'unisights[flask]'") from error

from unisights._endpoint.synchronous import SyncEndpoint
from unisights._http.responses import HTTPResponse
from unisights._http.wsgi import Read, body_reader, read_info
from unisights.collector import Collector
from unisights.config import UnisightsOptions

_METHODS = ["POST", "OPTIONS", "GET", "HEAD", "PUT", "PATCH", "DELETE"]


class UnisightsBlueprint(Blueprint):
    """A blueprint that serves the endpoint.

    Attributes:
        collector: the endpoint's core; its `stats()` tell what it has counted.
    """

    collector: Collector


def unisights_flask(options: UnisightsOptions | None = None) -> UnisightsBlueprint:
    """Make a blueprint that serves the endpoint, to be passed to `app.register_blueprint`.

    By default the handler runs in the background, after the answer, and its second argument is
    the `RequestInfo`. With `delivery="inline"` it runs before the answer, and its second
    argument is Flask's `Request`, whose body can be read again.
    """
    options = options or UnisightsOptions()
    endpoint = SyncEndpoint(options, "background")
    name = re.sub(r"\W+", "_", f"unisights{options.path}")
    blueprint = UnisightsBlueprint(name, __name__)
    blueprint.collector = endpoint.collector

    @blueprint.route(
        options.path, methods=_METHODS, provide_automatic_options=False, strict_slashes=False
    )
    def collect() -> Response:
        # The proxy is bound to this thread and this request; the object behind it is not.
        actual: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        info = read_info(actual.environ, actual.script_root + actual.path)
        return _to_response(
            endpoint.serve(info, _body_reader(actual), lambda body: _rewind(actual, body))
        )

    return blueprint


def _body_reader(actual: Request) -> Read:
    """A reader that no limit of Flask's comes before, of the body that may have been read."""
    if "stream" in vars(actual):  # Somebody has asked for the body, and it is cached.
        return io.BytesIO(actual.get_data()).read
    return body_reader(actual.environ)


def _rewind(actual: Request, body: bytes) -> Request:
    """Let the handler read the body that was read already."""
    actual.environ["wsgi.input"] = io.BytesIO(body)
    actual.environ["CONTENT_LENGTH"] = str(len(body))
    actual.environ.pop("HTTP_TRANSFER_ENCODING", None)
    return actual


def _to_response(response: HTTPResponse) -> Response:
    flask_response = Response(response.body, response.status, [*response.headers])
    if not response.body:
        # Flask's own content type must not stay where the response has none.
        del flask_response.headers["Content-Type"]
    return flask_response
