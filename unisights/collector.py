"""The core: decides about requests. It does no I/O and knows no framework.

An adapter reads, asks, and writes:

    response = collector.screen(info)        # before the body is read
    if response is None:
        buffer = collector.buffer(info)   # is fed the body, and bounds it
        decision = collector.accept(info, buffer)
"""

import logging
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from unisights._decoding.decoding import decode
from unisights._http.body import ENCODINGS, BodyBuffer, BodyTooLargeError, content_encoding
from unisights._http.cors import Cors
from unisights._http.responses import MAX_LISTED, HTTPResponse, Responses
from unisights._runtime.log import ThrottledLog, log
from unisights._schema.checks import Checks
from unisights.config import UnisightsOptions
from unisights.errors import InvalidJSONError, ValidationError
from unisights.rejection import Rejection, classify
from unisights.request import RequestInfo
from unisights.stats import Counters, Gauges, ReadGauges, RefusalReason, Stats
from unisights.types import UnisightsPayload

if TYPE_CHECKING:  # imported for those who quarantine
    from unisights._decoding.quarantine import Selection

_LOGGED_BYTES = 2048
"""At most so much of a refused body is logged in debug mode."""


class Decision(msgspec.Struct, frozen=True):
    """What the collector has decided about a body: it has a payload or a response.

    Attributes:
        payload: what is to be delivered.
        response: the response to a body that is refused.
        rejection: the record that is to be kept of it before the response.
    """

    payload: UnisightsPayload | None = None
    response: HTTPResponse | None = None
    rejection: Rejection | None = None


class Collector:
    """Decides about the requests of one endpoint.

    Attributes:
        options: the endpoint's options.
        responses: makes its answers.
        limit: the greatest body that is taken, in bytes.
        counters: what has been counted.
        log: where to log what may happen very often.
        measure: tells what is waiting; set by who has it.
    """

    def __init__(self, options: UnisightsOptions) -> None:
        self.options = options
        self._cors = Cors(options.allow_origins)
        self.responses = Responses(self._cors, debug=options.debug)
        self.limit = options.max_payload_size
        self.counters = Counters()
        self.log = ThrottledLog()
        self.read_gauges: ReadGauges = lambda: Gauges(0, 0)
        self._make_selection: Callable[[], Selection] | None = None
        if options.invalid_events == "quarantine":
            self._make_selection = import_module("unisights._decoding.quarantine").Selection
        self._keeps_rejections = options.on_reject is not None or options.delivery == "durable"
        self._checks = Checks(
            values=options.validate_schema,
            required=options.validate_required_fields,
            max_problems=MAX_LISTED,
        )

    def screen(self, info: RequestInfo) -> HTTPResponse | None:
        """Answer what can be answered before the body is read; None if it is to be read."""
        if self._cors.granted(info) is None:
            return self.refuse("forbidden_origin", self.responses.forbidden_origin(info))
        if info.method != "POST":
            if info.method == "OPTIONS":
                return self.responses.preflight(info)
            # Scanners and health checks do this all the time: no news.
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
        declared = headers.get("content-length", "")
        # int() of a long digit string is costly; so long a one is over any limit.
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > self.limit):
            return self.too_large(info)
        return None

    def buffer(self, info: RequestInfo) -> BodyBuffer:
        """Make what the body of a screened request is read into."""
        return BodyBuffer(self.limit, content_encoding(info))

    def too_large(self, info: RequestInfo) -> HTTPResponse:
        """Answer a body that is over the limit."""
        return self.refuse("too_large", self.responses.too_large(info, self.limit))

    def cut_body(self, info: RequestInfo) -> HTTPResponse:
        """Answer a body that has ended too early: its client went away."""
        self.counters.refuse("cut_body")
        return self.responses.cut_body(info)

    def accept(self, info: RequestInfo, buffer: BodyBuffer) -> Decision:
        """Inflate, decode, decrypt and validate a body; the payload, or why it is refused."""
        body = b""
        selection = self._make_selection() if self._make_selection else None
        try:
            body = buffer.finish()
            payload = self.decode(body, selection)
        except BodyTooLargeError:
            return Decision(response=self.too_large(info))
        except (InvalidJSONError, ValidationError) as error:
            return self._refuse_body(info, body or buffer.sent, error)
        payload.received_at = info.received_at
        if self.options.debug:
            log(logging.INFO, "received", "received %d bytes: %r", len(body), payload)
        if selection is not None and selection.quarantined:
            return self._split(info, payload, selection)
        return Decision(payload)

    def decode(self, body: bytes, selection: "Selection | None" = None) -> UnisightsPayload:
        """Decode, decrypt and validate a body that has been read, as the options have it.

        Args:
            body: the body.
            selection: which of its events are wanted, if not all of them.

        Raises:
            InvalidJSONError: the body is not JSON.
            ValidationError: it is not a valid payload.
        """
        secret, checks = self.options.server_secret, self._checks
        return decode(body, server_secret=secret, checks=checks, selection=selection)

    def _refuse_body(
        self, info: RequestInfo, raw: bytes, error: InvalidJSONError | ValidationError
    ) -> Decision:
        """Refuse a body that was read; it is kept if anybody keeps such."""
        reason, problems = classify(error)
        response = self.refuse(reason, self.responses.refused(info, error), raw)
        if not self._keeps_rejections:
            return Decision(response=response)
        rejection = Rejection(
            reason=reason,
            status=response.status,
            problems=problems,
            received_at=info.received_at,
            raw=raw,
            request=info,
        )
        return Decision(response=response, rejection=rejection)

    def _split(
        self, info: RequestInfo, payload: UnisightsPayload, selection: "Selection"
    ) -> Decision:
        """Keep apart what goes on and what was quarantined."""
        count = len(selection.quarantined)
        self.counters.add("quarantined", count)
        if self.options.debug:
            message = "quarantined %d events: %s"
            values: tuple[object, ...] = (count, selection.problems[0].message)
            log(logging.WARNING, "quarantined", message, *values, count=count)
        else:
            message = "quarantined %d events; debug=True tells why"
            self.log.log(logging.WARNING, "quarantined", message, count, count=count)
        if not self._keeps_rejections:
            return Decision(payload)
        rejection = Rejection(
            reason="invalid_events",
            status=None,
            problems=tuple(selection.problems),
            quarantined=selection.quarantined,
            received_at=info.received_at,
            raw=payload.raw,
            request=info,
        )
        return Decision(payload, rejection=rejection)

    def refuse(
        self, reason: RefusalReason, response: HTTPResponse, body: bytes = b""
    ) -> HTTPResponse:
        """Count a refusal and tell an operator of it; return its answer."""
        self.counters.refuse(reason)
        status = response.status
        if self.options.debug:
            message = "refused with %d: %r; the body: %r"
            values: tuple[object, ...] = (status, response.body, body[:_LOGGED_BYTES])
            log(logging.WARNING, "refused", message, *values, reason=reason, status=status)
        else:
            # An attacker must not fill the log.
            message = "refused with %d, %s; debug=True tells why"
            values = (status, reason)
            self.log.log(logging.WARNING, "refused", message, *values, reason=reason, status=status)
        return response

    def stats(self) -> Stats:
        """What this endpoint has counted in this process, and what is waiting now."""
        return self.counters.snapshot(self.read_gauges())


def _is_json(content_type: str) -> bool:
    """Whether a Content-Type says JSON; a missing one is taken as JSON."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence in {"application/json", ""}
