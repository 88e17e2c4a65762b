"""The answers that the collector gives."""

import msgspec

from unisights._http.cors import Cors, Headers
from unisights.errors import InvalidJSONError, UnisightsError, ValidationError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

MAX_LISTED = 100
"""At most so many problems are listed in an answer."""

_JSON: Headers = (("content-type", "application/json"),)
_ALLOW: Headers = (("allow", "POST, OPTIONS"),)

_RECEIVED = b'{"status":"received","session_id":'
_QUEUED = b'{"status":"queued","session_id":'

_encode = msgspec.json.Encoder().encode


class HTTPResponse(msgspec.Struct, frozen=True):
    """An HTTP answer, for an adapter to write.

    Attributes:
        status: the status code.
        headers: name-value pairs, names in lower case, without content-length.
        body: the body, empty or JSON.
    """

    status: int
    headers: Headers
    body: bytes = b""


class Responses:
    """Makes the answers, each with the headers that its request's origin needs."""

    def __init__(self, cors: Cors, *, debug: bool) -> None:
        self._cors = cors
        self._debug = debug

    def received(self, info: RequestInfo, payload: UnisightsPayload) -> HTTPResponse:
        """200: the handler has run, or there is none."""
        end = _end(payload) if payload.quarantined else b"}"
        body = _RECEIVED + _encode(payload.data.session_id) + end
        return HTTPResponse(200, (*_JSON, *self._cors.headers(info)), body)

    def queued(self, info: RequestInfo, payload: UnisightsPayload) -> HTTPResponse:
        """202: the handler will run in the background."""
        end = _end(payload) if payload.quarantined else b"}"
        body = _QUEUED + _encode(payload.data.session_id) + end
        return HTTPResponse(202, (*_JSON, *self._cors.headers(info)), body)

    def unavailable(self, info: RequestInfo, reason: str) -> HTTPResponse:
        """503: there is no room, or no time left."""
        response = self._error(info, 503, reason)
        return HTTPResponse(503, (*response.headers, ("retry-after", "1")), response.body)

    def preflight(self, info: RequestInfo) -> HTTPResponse:
        """204: the answer to OPTIONS."""
        return HTTPResponse(204, (*self._cors.preflight_headers(info), *_ALLOW))

    def forbidden_origin(self, info: RequestInfo) -> HTTPResponse:
        """403: pages of this origin may not send."""
        return self._error(info, 403, "this origin is not allowed; see allow_origins")

    def wrong_method(self, info: RequestInfo) -> HTTPResponse:
        """405: only POST, and OPTIONS for preflights."""
        response = self._error(info, 405, "only POST is allowed")
        return HTTPResponse(405, (*response.headers, *_ALLOW), response.body)

    def too_large(self, info: RequestInfo, limit: int) -> HTTPResponse:
        """413: the body is over the limit, in bytes."""
        return self._error(info, 413, f"the body is larger than {limit} bytes")

    def wrong_content_encoding(self, info: RequestInfo) -> HTTPResponse:
        """415: compressed in a way that is not known."""
        response = self._error(info, 415, "the content encoding must be gzip, deflate or identity")
        return HTTPResponse(
            415, (*response.headers, ("accept-encoding", "gzip, deflate")), response.body
        )

    def cut_body(self, info: RequestInfo) -> HTTPResponse:
        """400: the client went away before the body had ended."""
        return self._error(info, 400, "the body ended before its declared length")

    def wrong_content_type(self, info: RequestInfo) -> HTTPResponse:
        """415: not JSON by its own words."""
        return self._error(info, 415, "the content type must be application/json")

    def refused(self, info: RequestInfo, error: UnisightsError) -> HTTPResponse:
        """400 or 422: the body is not JSON, or not a valid payload."""
        if isinstance(error, InvalidJSONError):
            return self._error(info, 400, str(error))
        assert isinstance(error, ValidationError)
        listed = [problem.to_dict() for problem in error.problems[:MAX_LISTED]]
        return self._json(info, 422, {"error": error.problems[0].message, "errors": listed})

    def handler_failed(self, info: RequestInfo, error: Exception) -> HTTPResponse:
        """500: the handler raised; the reason only in debug mode."""
        content = {"error": "the handler failed"}
        if self._debug:
            content["detail"] = f"{type(error).__name__}: {error}"
        return self._json(info, 500, content)

    def _error(self, info: RequestInfo, status: int, message: str) -> HTTPResponse:
        return self._json(info, status, {"error": message})

    def _json(self, info: RequestInfo, status: int, content: object) -> HTTPResponse:
        return HTTPResponse(status, (*_JSON, *self._cors.headers(info)), _encode(content))


def _end(payload: UnisightsPayload) -> bytes:
    """The end of the answer to a payload of which events were quarantined."""
    return b',"quarantined":%d}' % len(payload.quarantined)
