"""Every response of the endpoint: its status, headers and body."""

import msgspec

from unisights._http.cors import Cors, Headers
from unisights._schema.checks import MAX_LISTED
from unisights.errors import InvalidJSONError, ValidationError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

_JSON: Headers = (("content-type", "application/json"),)
_ALLOW: Headers = (("allow", "POST, OPTIONS"),)
_ACCEPT_ENCODING: Headers = (("accept-encoding", "gzip, deflate"),)
_RETRY: Headers = (("retry-after", "1"),)

_STARTS = {200: b'{"status":"received","session_id":', 202: b'{"status":"queued","session_id":'}

_encode = msgspec.json.Encoder().encode


class HTTPResponse(msgspec.Struct, frozen=True):
    """An HTTP response, which an adapter writes.

    Attributes:
        status: the status code.
        headers: pairs of a name in lower case and a value, without content-length.
        body: the body; JSON or empty for an endpoint.
    """

    status: int
    headers: Headers
    body: bytes = b""

    @property
    def content_length(self) -> int | None:
        """The value of the content-length header, in bytes; None for a 204, which has none."""
        return None if self.status == 204 else len(self.body)


NOT_FOUND = HTTPResponse(404, (("content-type", "text/plain"),), b"Not Found")
"""The response on a path that no app serves."""


class Responses:
    """Makes responses, each with the CORS headers for its request.

    Args:
        cors: decides about the CORS headers.
        debug: whether a 500 response says why the handler failed.
    """

    def __init__(self, cors: Cors, *, debug: bool) -> None:
        self._cors = cors
        self._debug = debug

    def accepted(self, info: RequestInfo, payload: UnisightsPayload, status: int) -> HTTPResponse:
        """Make a 200: the handler has succeeded, or there is none; or a 202: it will be called."""
        end = b',"quarantined":%d}' % len(payload.quarantined) if payload.quarantined else b"}"
        body = _STARTS[status] + _encode(payload.data.session_id) + end
        return HTTPResponse(status, (*_JSON, *self._cors.headers(info)), body)

    def unavailable(self, info: RequestInfo, reason: str) -> HTTPResponse:
        """Make a 503: the payload cannot be accepted now."""
        return self._error(info, 503, reason, _RETRY)

    def preflight(self, info: RequestInfo) -> HTTPResponse:
        """Make a 204: the response to a preflight."""
        return HTTPResponse(204, (*self._cors.preflight_headers(info), *_ALLOW))

    def forbidden_origin(self, info: RequestInfo) -> HTTPResponse:
        """Make a 403: pages of this origin may not send."""
        return self._error(info, 403, "this origin is not allowed; see allow_origins")

    def wrong_method(self, info: RequestInfo) -> HTTPResponse:
        """Make a 405: only POST is allowed, and OPTIONS for preflights."""
        return self._error(info, 405, "only POST is allowed", _ALLOW)

    def too_large(self, info: RequestInfo, limit: int) -> HTTPResponse:
        """Make a 413: the body is larger than the limit, in bytes."""
        return self._error(info, 413, f"the body is larger than {limit} bytes")

    def wrong_content_encoding(self, info: RequestInfo) -> HTTPResponse:
        """Make a 415: the content encoding is not supported."""
        message = "the content encoding must be gzip, deflate or identity"
        return self._error(info, 415, message, _ACCEPT_ENCODING)

    def cut_body(self, info: RequestInfo) -> HTTPResponse:
        """Make a 400: the client disconnected before the end of the body."""
        return self._error(info, 400, "the body was cut before its end")

    def wrong_content_type(self, info: RequestInfo) -> HTTPResponse:
        """Make a 415: the content type is not JSON."""
        return self._error(info, 415, "the content type must be application/json")

    def invalid_body(
        self, info: RequestInfo, error: InvalidJSONError | ValidationError
    ) -> HTTPResponse:
        """Make a 400, if the body is not JSON, or a 422, if it is not a valid payload."""
        if isinstance(error, InvalidJSONError):
            return self._error(info, 400, str(error))
        listed = [problem.to_dict() for problem in error.problems[:MAX_LISTED]]
        return self._json(info, 422, {"error": error.problems[0].message, "errors": listed})

    def handler_failed(self, info: RequestInfo, error: Exception) -> HTTPResponse:
        """Make a 500: the handler raised. The response says why in debug mode only."""
        content = {"error": "the handler failed"}
        if self._debug:
            content["detail"] = f"{type(error).__name__}: {error}"
        return self._json(info, 500, content)

    def _error(
        self, info: RequestInfo, status: int, message: str, headers: Headers = ()
    ) -> HTTPResponse:
        return self._json(info, status, {"error": message}, headers)

    def _json(
        self, info: RequestInfo, status: int, content: object, headers: Headers = ()
    ) -> HTTPResponse:
        all_headers = (*_JSON, *self._cors.headers(info), *headers)
        return HTTPResponse(status, all_headers, _encode(content))
