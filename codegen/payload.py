"""What the payload's class has beside what is on the wire."""

from dataclasses import dataclass
from typing import Any

PAYLOAD = "UnisightsPayload"
"""The class of the decoded payload."""


@dataclass(frozen=True)
class Received:
    """An attribute that its receiver sets: it is not on the wire, and not part of equality.

    Attributes:
        view: its JSON Schema, for the generator.
        default: the source of its default.
        doc: its docstring.
        hint: its annotation, where JSON Schema has none such.
    """

    view: dict[str, Any]
    default: str
    doc: str
    hint: str = ""


RECEIVED = {
    "raw": Received(
        {"type": "string", "format": "binary"},
        'field(default=b"", compare=False, repr=False)',
        "The request's body, byte for byte as it was received; empty when the payload was not "
        "made from bytes. Not part of the wire, nor of equality.",
    ),
    "received_at": Received(
        {"type": "integer"},
        "field(default=0, compare=False)",
        "When the request came, by the receiver's clock. Unit: milliseconds since the Unix epoch; "
        "0 when the payload came by no request. Not part of the wire, nor of equality.",
    ),
    "quarantined": Received(
        {"type": "array", "items": {"type": "integer"}},
        "field(default=(), compare=False)",
        "Which events of the body as received were invalid, by their indexes, and are not in "
        "data.events; always empty unless the option invalid_events says to quarantine them. Not "
        "part of the wire, nor of equality.",
        hint="tuple[int, ...]",
    ),
    "sent_bucket": Received(
        {"type": ["integer", "null"]},
        "field(default=None, compare=False)",
        "The bucket that an encrypted payload was sent in, by the visitor's clock. Unit: 30 "
        "seconds since the Unix epoch; None when the payload came plain. Not part of the wire, "
        "nor of equality.",
    ),
}


@dataclass(frozen=True)
class Derived:
    """A property that is computed at each access.

    Attributes:
        hint: its annotation.
        expression: the source of what it returns.
        doc: its docstring.
    """

    hint: str
    expression: str
    doc: str


DERIVED = {
    "content_id": Derived(
        "str",
        "digest(self.raw or canonical(self.to_dict()))",
        "Identifies the body: a body that is sent again has the same id. It is the 128-bit BLAKE2b "
        "hash of `raw`, in hexadecimal; of a payload that was not made from bytes, the hash of the "
        "canonical JSON of `to_dict()`. The same session sent plain and sent encrypted has two "
        "ids. It is computed at each access.",
    ),
    "clock_skew": Derived(
        "int | None",
        "clock_skew("
        "(event.data.timestamp for event in self.data.events), self.sent_bucket, self.received_at)",
        "How far the visitor's clock is ahead of the receiver's, as far as the payload tells; "
        "below 0 if it is behind. Unit: milliseconds; None when nothing is known. It is the newest "
        "event's time less `received_at`: whatever time passes between the two, such as the "
        "client's waiting for more events, makes it smaller, so that a clock that is right has a "
        "value somewhat below 0. Of encrypted payloads, `sent_bucket` bounds the time of sending "
        "to 30 seconds, and so this. Clients may write what they like.",
    ),
}
