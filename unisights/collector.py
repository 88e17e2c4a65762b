"""The core: decides about each request. It does no input or output and knows no framework.

An endpoint asks it before, while and after it reads the body:

    response = collector.screen(info)
    buffer = collector.buffer(info)
    response = collector.add_piece(info, buffer, piece)   # for each piece of the body
    decision = collector.decide(info, buffer)

A response ends the request. Without one, the next step follows.
"""

import logging
from typing import TYPE_CHECKING

import msgspec

from unisights._decoding.fast_path import Decoded, decode, decode_selected
from unisights._http.body import ENCODINGS, BodyBuffer, BodyTooLargeError, content_encoding
from unisights._http.cors import Cors
from unisights._http.responses import HTTPResponse, Responses
from unisights._runtime.log import ThrottledLog, log
from unisights._schema.checks import MAX_LISTED, Checks
from unisights.config import UnisightsOptions
from unisights.delivery import Durable
from unisights.errors import InvalidJSONError, Problem, ValidationError
from unisights.rejection import Rejection, classify
from unisights.request import RequestInfo
from unisights.stats import Counters, Gauges, ReadGauges, RefusalReason, Stats
from unisights.types import UnisightsPayload

if TYPE_CHECKING:  # it loads the compiled validators
    from unisights._decoding.quarantine import Selection

_LOGGED_BYTES = 2048
"""The greatest number of bytes of a refused body that debug mode logs."""


class Valid(msgspec.Struct, frozen=True):
    """The decision that a body is valid. Delivery may accept its payload, or have no room for it.

    Attributes:
        payload: the payload to deliver.
        rejection: the rejection for the events that were quarantined, if it is to be kept.
    """

    payload: UnisightsPayload
    rejection: Rejection | None = None


class Refused(msgspec.Struct, frozen=True):
    """The decision to refuse a body.

    Attributes:
        response: the response, with a status of 400, 413 or 422.
        rejection: the rejection of the body, if it is to be kept.
    """

    response: HTTPResponse
    rejection: Rejection | None = None


Decision = Valid | Refused
"""A decision of the collector about a body."""


def _nothing_waits() -> Gauges:
    return Gauges(0, 0)


class Collector:
    """Decides about the requests of one endpoint, and counts them.

    Args:
        options: the endpoint's options.
        read_gauges: reads the gauges for `stats()`.

    Attributes:
        options: the endpoint's options.
        responses: makes the endpoint's responses.
        counters: the endpoint's counters.
        log: the log for events that may occur very often.
    """

    def __init__(self, options: UnisightsOptions, read_gauges: ReadGauges = _nothing_waits) -> None:
        self.options = options
        self._cors = Cors(options.allow_origins)
        self.responses = Responses(self._cors, debug=options.debug)
        self.counters = Counters()
        self.log = ThrottledLog()
        self._read_gauges = read_gauges
        self._selection = _make_selection() if options.invalid_events == "quarantine" else None
        self._keeps_rejections = options.on_reject is not None or isinstance(
            options.delivery, Durable
        )
        self._checks = Checks(
            values=options.validate_schema,
            required=options.validate_required_fields,
            max_problems=MAX_LISTED,
        )

    def screen(self, info: RequestInfo) -> HTTPResponse | None:
        """Decide about a request by its method and headers, before its body is read.

        Returns:
            The response to a preflight or to a request that is refused; None if the body is to
            be read.
        """
        if not self._cors.is_allowed(info):
            return self.refuse("forbidden_origin", self.responses.forbidden_origin(info))
        if info.method != "POST":
            if info.method == "OPTIONS":
                return self.responses.preflight(info)
            # Scanners and health checks do this all the time, so it is not logged.
            self.counters.refuse("wrong_method")
            return self.responses.wrong_method(info)
        headers = info.headers
        content_type = headers.get("content-type")
        if content_type != "application/json" and not _is_json(content_type or ""):
            return self.refuse("wrong_content_type", self.responses.wrong_content_type(info))
        if "content-encoding" in headers and content_encoding(info) not in ENCODINGS:
            return self.refuse(
                "wrong_content_encoding", self.responses.wrong_content_encoding(info)
            )
        length = headers.get("content-length", "")
        # int() takes long for many digits, and a number of that many is over any limit.
        if length.isdecimal() and (len(length) > 18 or int(length) > self.options.max_payload_size):
            return self._refuse_too_large(info)
        return None

    def buffer(self, info: RequestInfo) -> BodyBuffer:
        """Make the buffer for the body of a request that `screen` let pass."""
        return BodyBuffer(self.options.max_payload_size, content_encoding(info))

    def add_piece(
        self, info: RequestInfo, buffer: BodyBuffer, piece: bytes | None
    ) -> HTTPResponse | None:
        """Add the next piece of a body to its buffer.

        Args:
            info: the request.
            buffer: the request's buffer.
            piece: the piece; None if the client has disconnected before the end of the body.

        Returns:
            The response if the request is refused now; None if not.
        """
        if piece is None:
            # Clients disconnect all the time, so it is not logged.
            self.counters.refuse("cut_body")
            return self.responses.cut_body(info)
        try:
            buffer.add(piece)
        except BodyTooLargeError:
            return self._refuse_too_large(info)
        return None

    def decide(self, info: RequestInfo, buffer: BodyBuffer) -> Decision:
        """Inflate, decode, decrypt and validate a whole body, and decide about it."""
        body = b""
        problems: tuple[Problem, ...] = ()
        try:
            body = buffer.finish()
            if self._selection is None:
                payload = self.decode(body)
            else:
                decoded = self._decode_selected(body, self._selection)
                payload, problems = decoded.payload, decoded.problems
        except BodyTooLargeError:
            return Refused(self._refuse_too_large(info))
        except (InvalidJSONError, ValidationError) as error:
            return self._refuse_body(info, body or buffer.sent, error)
        payload.received_at = info.received_at
        if self.options.debug:
            log(logging.INFO, "decoded", "decoded %d bytes: %r", len(body), payload)
        if payload.quarantined:
            return self._quarantine(info, payload, problems)
        return Valid(payload)

    def decode(self, body: bytes, selection: "Selection | None" = None) -> UnisightsPayload:
        """Decode, decrypt and validate a body as the options say.

        Args:
            body: the body, inflated.
            selection: says which events the payload has; None: all, and they must be valid.

        Raises:
            InvalidJSONError: the body is not JSON.
            ValidationError: the body is not a valid payload.
        """
        if selection is not None:
            return self._decode_selected(body, selection).payload
        return decode(body, server_secret=self.options.server_secret, checks=self._checks)

    def _decode_selected(self, body: bytes, selection: "Selection") -> Decoded:
        secret, checks = self.options.server_secret, self._checks
        return decode_selected(body, selection, server_secret=secret, checks=checks)

    def _refuse_too_large(self, info: RequestInfo) -> HTTPResponse:
        response = self.responses.too_large(info, self.options.max_payload_size)
        return self.refuse("too_large", response)

    def refuse(
        self, reason: RefusalReason, response: HTTPResponse, body: bytes = b""
    ) -> HTTPResponse:
        """Count and log a refusal.

        Args:
            reason: why the request is refused.
            response: the response to it.
            body: the part of its body that was read; debug mode logs the beginning.

        Returns:
            The response.
        """
        self.counters.refuse(reason)
        status = response.status
        if self.options.debug:
            message = "refused with %d: %r; the body: %r"
            values: tuple[object, ...] = (status, response.body, body[:_LOGGED_BYTES])
            log(logging.WARNING, "refused", message, *values, reason=reason, status=status)
        else:
            # An attacker must not be able to fill the log.
            message = "refused with %d, %s; debug=True tells why"
            values = (status, reason)
            self.log.log(logging.WARNING, "refused", message, *values, reason=reason, status=status)
        return response

    def _refuse_body(
        self, info: RequestInfo, raw: bytes, error: InvalidJSONError | ValidationError
    ) -> Refused:
        reason, problems = classify(error)
        response = self.refuse(reason, self.responses.invalid_body(info, error), raw)
        if not self._keeps_rejections:
            return Refused(response)
        rejection = Rejection(
            reason=reason,
            status=response.status,
            problems=problems,
            received_at=info.received_at,
            raw=raw,
            request=info,
        )
        return Refused(response, rejection)

    def _quarantine(
        self, info: RequestInfo, payload: UnisightsPayload, problems: tuple[Problem, ...]
    ) -> Valid:
        """Count and log the events that were quarantined; make a rejection if it is to be kept."""
        count = len(payload.quarantined)
        self.counters.add("quarantined", count)
        if self.options.debug:
            message = "quarantined %d events: %s"
            values: tuple[object, ...] = (count, problems[0].message)
            log(logging.WARNING, "quarantined", message, *values, count=count)
        else:
            message = "quarantined %d events; debug=True tells why"
            self.log.log(logging.WARNING, "quarantined", message, count, count=count)
        if not self._keeps_rejections:
            return Valid(payload)
        rejection = Rejection(
            reason="invalid_events",
            status=None,
            problems=problems,
            quarantined=payload.quarantined,
            received_at=info.received_at,
            raw=payload.raw,
            request=info,
        )
        return Valid(payload, rejection)

    def stats(self) -> Stats:
        """Return what this endpoint has counted in this process, and what is waiting now."""
        return self.counters.snapshot(self._read_gauges())


def _make_selection() -> "Selection":
    # It loads the compiled validators, which most processes never need.
    from unisights._decoding.quarantine import Selection  # noqa: PLC0415

    return Selection()


def _is_json(content_type: str) -> bool:
    """Whether a Content-Type header means JSON; an empty or missing one does."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence in {"application/json", ""}
