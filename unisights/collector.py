"""The core: decides about requests. It does no I/O and knows no framework.

An adapter reads, asks, and writes:

    reply = collector.screen(info)        # before the body is read
    if reply is None:
        buffer = collector.buffer(info)   # is fed the body, and bounds it
        outcome = collector.accept(info, buffer)
        reply = deliver the outcome if it is a payload, else settle it
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass

from unisights._body import ENCODINGS, BodyBuffer, BodyTooLargeError, content_encoding
from unisights._cors import Cors
from unisights._quiet import QuietLog
from unisights._selection import Selection
from unisights.config import UnisightsOptions
from unisights.errors import InvalidJSONError, ValidationError
from unisights.rejection import Rejection, make_rejection
from unisights.reply import MAX_LISTED, Replies, Reply
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload
from unisights.validator import Checks, decode_selected, decode_unisights_payload

logger = logging.getLogger("unisights")

_LOGGED_BYTES = 2048
"""At most so much of a refused body is logged in debug mode."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """What is to be kept before a request is answered.

    Attributes:
        rejection: what was refused, or quarantined.
        rest: the answer, or the payload that is left to be delivered.
    """

    rejection: Rejection
    rest: Reply | UnisightsPayload


class Collector:
    """Decides about the requests of one endpoint.

    Attributes:
        options: the endpoint's options.
        replies: makes its answers.
        limit: the greatest body that is taken, in bytes.
    """

    def __init__(self, options: UnisightsOptions) -> None:
        self.options = options
        self._cors = Cors(options.allow_origins)
        self.replies = Replies(self._cors, debug=options.debug)
        self.limit = options.max_payload_size
        self._refusals = _RefusalLog()
        self._quarantines = options.invalid_events == "quarantine"
        self._quarantine_log = QuietLog()
        self._keeps_rejected = options.on_reject is not None or options.delivery == "durable"
        self._checks = Checks(
            values=options.validate_schema,
            required=options.validate_required_fields,
            max_problems=MAX_LISTED,
        )

    def screen(self, info: RequestInfo) -> Reply | None:
        """Answer what can be answered before the body is read; None if it is to be read."""
        if not self._cors.allows(info):
            return self._log_refusal(self.replies.forbidden_origin(info))
        if info.method == "OPTIONS":
            return self.replies.preflight(info)
        if info.method != "POST":
            return self.replies.wrong_method(info)
        if not _is_json(info.headers.get("content-type", "")):
            return self._log_refusal(self.replies.wrong_content_type(info))
        if content_encoding(info) not in ENCODINGS:
            return self._log_refusal(self.replies.wrong_content_encoding(info))
        declared = info.headers.get("content-length", "")
        # int() of a long digit string is costly; so long a one is over any limit.
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > self.limit):
            return self.too_large(info)
        return None

    def buffer(self, info: RequestInfo) -> BodyBuffer:
        """Make what the body of a screened request is read into."""
        return BodyBuffer(self.limit, content_encoding(info))

    def too_large(self, info: RequestInfo) -> Reply:
        """Answer a body that is over the limit."""
        return self._log_refusal(self.replies.too_large(info, self.limit))

    def accept(self, info: RequestInfo, buffer: BodyBuffer) -> UnisightsPayload | Reply | Rejected:
        """Inflate, decode, decrypt and validate a body; the payload, or why it is refused."""
        body = b""
        selection = Selection() if self._quarantines else None
        try:
            body = buffer.finish()
            payload = self.decode(body, selection)
        except BodyTooLargeError:
            return self.too_large(info)
        except (InvalidJSONError, ValidationError) as error:
            reply = self._log_refusal(self.replies.refused(info, error), body)
            if not self._keeps_rejected:
                return reply
            return Rejected(make_rejection(info, body or buffer.sent, error), reply)
        payload.received_at = info.received_at
        if self.options.debug:
            logger.info("received %d bytes: %r", len(body), payload)
        if selection is not None and selection.quarantined:
            return self._split(info, payload, selection)
        return payload

    def decode(self, body: bytes, selection: Selection | None = None) -> UnisightsPayload:
        """Decode, decrypt and validate a body that has been read, as the options have it.

        Args:
            body: the body.
            selection: which of its events are wanted, if not all of them.

        Raises:
            InvalidJSONError: the body is not JSON.
            ValidationError: it is not a valid payload.
        """
        secret, checks = self.options.server_secret, self._checks
        if selection is not None:
            return decode_selected(body, selection, server_secret=secret, checks=checks)
        return decode_unisights_payload(body, server_secret=secret, checks=checks)

    def _split(
        self, info: RequestInfo, payload: UnisightsPayload, selection: Selection
    ) -> UnisightsPayload | Rejected:
        """Keep apart what goes on and what was quarantined."""
        count, first = len(selection.quarantined), selection.problems[0]
        why = f": {first.message}" if self.options.debug else " (debug=True tells why)"
        self._quarantine_log.log(logging.WARNING, "quarantined %d invalid events%s", count, why)
        if not self._keeps_rejected:
            return payload
        rejection = Rejection(
            reason="invalid_events",
            status=None,
            problems=tuple(selection.problems),
            quarantined=selection.quarantined,
            received_at=info.received_at,
            raw=payload.raw,
            request=info,
        )
        return Rejected(rejection, payload)

    def _log_refusal(self, reply: Reply, body: bytes = b"") -> Reply:
        if self.options.debug:
            logger.warning(
                "refused with %d: %r; the body: %r", reply.status, reply.body, body[:_LOGGED_BYTES]
            )
        else:
            self._refusals.note(reply.status)
        return reply


class _RefusalLog:
    """Tells an operator of refusals, at most once a second: an attacker must not fill the log."""

    def __init__(self) -> None:
        self._next = 0.0
        self._untold: Counter[int] = Counter()

    def note(self, status: int) -> None:
        self._untold[status] += 1
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            told, self._untold = self._untold, Counter()
            counts = ", ".join(f"{count} with {status}" for status, count in sorted(told.items()))
            logger.warning("refused %s (debug=True tells why)", counts)


def _is_json(content_type: str) -> bool:
    """Whether a Content-Type says JSON; a missing one is taken as JSON."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence in {"application/json", ""}
