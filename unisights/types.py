# GENERATED from schema/unisights.schema.json, version 2.0.0, SHA-256
# ffbb04f1c530dacc6fd3ec6c72ac1bcc472d1c69e72606b24fdfa5036103a432
# Do not edit:
#   1. change the schema (or, for another shape of the code, codegen/);
#   2. run `make generate`;
#   3. commit the schema and what changed here together.

"""The types of a payload: what handlers receive, and what `to_dict` writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta

from unisights._schema.clock_skew import clock_skew
from unisights._schema.content_id import canonical, digest
from unisights._schema.conversions import to_float, to_int, validated
from unisights._schema.structs import Record, record

__all__ = [
    "ClickEvent",
    "ClickEventData",
    "CustomEvent",
    "CustomEventData",
    "DeviceInfo",
    "EncryptedEnvelope",
    "EncryptedEnvelopePayload",
    "EncryptedPayload",
    "ErrorEvent",
    "ErrorEventData",
    "PageViewEvent",
    "PageViewEventData",
    "UnisightsData",
    "UnisightsEvent",
    "UnisightsPayload",
    "UtmParams",
    "WebVitalEvent",
    "WebVitalEventData",
]


@dataclass(slots=True, kw_only=True)
class EncryptedPayload:
    """A session as the browser client sends it encrypted, everything at the root. The cipher's key
    is derived from public values: this is obfuscation, not secrecy.
    """

    encrypted: bool = field(default=True, compare=False)
    """Whether the session came encrypted. Not part of equality: the same session sent plain and
    sent encrypted makes equal payloads.
    """

    data: str
    """The ciphertext of the data object's JSON, in standard padded base64. Example:
    "jDmmKIIlOXy2AFRy". Source: browser client.
    """

    tag: str
    """HMAC-SHA256 of the ciphertext bytes, 32 bytes in standard padded base64. Source: browser
    client.
    """

    bucket: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The send time divided by 30,000 ms, rounded down; part of the key. Unit: 30 s since the Unix
    epoch. Source: browser client.
    """

    site_id: Annotated[str, Meta(min_length=1)]
    """The asset the session belongs to; part of the key, and equal to the decrypted data.asset_id.
    May be non-ASCII. Source: browser client.
    """

    ua_hash: str = ""
    """A hash of the user agent, part of the key. Today's client always sends the empty string.
    Source: browser client.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {
            "encrypted": True,
            "data": self.data,
            "tag": self.tag,
            "bucket": self.bucket,
            "site_id": self.site_id,
            "ua_hash": self.ua_hash,
        }

    @classmethod
    def from_dict(cls, obj: object) -> EncryptedPayload:
        """Validate parsed JSON against the schema's EncryptedPayload and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("EncryptedPayload", obj))

    @classmethod
    def _build(cls, obj: Any) -> EncryptedPayload:
        """Build one from parsed JSON that was validated."""
        return cls(
            data=obj.get("data"),
            tag=obj.get("tag"),
            bucket=to_int(obj.get("bucket")),
            site_id=obj.get("site_id"),
            ua_hash=obj.get("ua_hash", ""),
        )


@record
class EncryptedEnvelope(Record, kw_only=True, gc=False):
    """The ciphertext and what its key is derived from."""

    site_id: Annotated[str, Meta(min_length=1)]
    """The asset the session belongs to; part of the key, and equal to the decrypted data.asset_id.
    Source: non-browser senders.
    """

    ua_hash: str = ""
    """A hash of the user agent, part of the key; may be empty. Source: non-browser senders."""

    bucket: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """The send time divided by 30,000 ms, rounded down; part of the key. Unit: 30 s since the Unix
    epoch. Source: non-browser senders.
    """

    tag: str
    """HMAC-SHA256 of the ciphertext bytes, 32 bytes in standard padded base64. Source: non-browser
    senders.
    """

    ciphertext: str
    """The ciphertext of the data object's JSON, in standard padded base64. Example:
    "jDmmKIIlOXy2AFRy". Source: non-browser senders.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {
            "site_id": self.site_id,
            "ua_hash": self.ua_hash,
            "bucket": self.bucket,
            "tag": self.tag,
            "ciphertext": self.ciphertext,
        }

    @classmethod
    def from_dict(cls, obj: object) -> EncryptedEnvelope:
        """Validate parsed JSON against the schema's EncryptedEnvelope and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("EncryptedEnvelope", obj))

    @classmethod
    def _build(cls, obj: Any) -> EncryptedEnvelope:
        """Build one from parsed JSON that was validated."""
        return cls(
            site_id=obj.get("site_id"),
            ua_hash=obj.get("ua_hash", ""),
            bucket=to_int(obj.get("bucket")),
            tag=obj.get("tag"),
            ciphertext=obj.get("ciphertext"),
        )


@dataclass(slots=True, kw_only=True)
class UtmParams:
    """Campaign parameters. Values can hold U+0000 and U+FFFD. Other keys than these five may come
    and are kept.
    """

    utm_source: str = ""
    """Where the visitor came from; empty when not given. Source: browser client."""

    utm_medium: str = ""
    """The channel; empty when not given. Source: browser client."""

    utm_campaign: str = ""
    """The campaign's name; empty when not given. Source: browser client."""

    utm_term: str = ""
    """The search term paid for; empty when not given. Source: browser client."""

    utm_content: str = ""
    """Which of several ads or links it was; empty when not given. Source: browser client."""

    extra: dict[str, str] = field(default_factory=dict)
    """The properties that the schema does not name."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {
            **self.extra,
            "utm_source": self.utm_source,
            "utm_medium": self.utm_medium,
            "utm_campaign": self.utm_campaign,
            "utm_term": self.utm_term,
            "utm_content": self.utm_content,
        }

    @classmethod
    def from_dict(cls, obj: object) -> UtmParams:
        """Validate parsed JSON against the schema's UtmParams and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("UtmParams", obj))

    @classmethod
    def _build(cls, obj: Any) -> UtmParams:
        """Build one from parsed JSON that was validated."""
        return cls(
            utm_source=obj.get("utm_source", ""),
            utm_medium=obj.get("utm_medium", ""),
            utm_campaign=obj.get("utm_campaign", ""),
            utm_term=obj.get("utm_term", ""),
            utm_content=obj.get("utm_content", ""),
            extra={
                k: v
                for k, v in obj.items()
                if k not in ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"]
            },
        )


@record
class DeviceInfo(Record, kw_only=True, gc=False):
    """The visitor's device and browser. The browser client sends its seven keys without browser;
    the Node types name browser, os and device_type. Both shapes are taken, and a missing value is
    empty or 0.
    """

    browser: str = ""
    """The browser's name; the browser client does not send it. Source: Node types."""

    os: str = ""
    """The operating system's name. Source: browser client, Node types."""

    device_type: str = ""
    """Desktop, Mobile or Tablet; an open set. Source: browser client, Node types."""

    user_agent: str = ""
    """The User-Agent string as the page saw it. Source: browser client (navigator.userAgent)."""

    platform: str = ""
    """The platform string as the page saw it. Source: browser client (navigator.platform)."""

    referrer: str = ""
    """The referring URL, or "direct" if there was none. Source: browser client."""

    screen_width: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """The screen's width. Unit: CSS pixels; decoders round down to whole ones. Source: browser
    client (screen.width).
    """

    screen_height: Annotated[int, Meta(ge=0, le=9007199254740991)] = 0
    """The screen's height. Unit: CSS pixels; decoders round down to whole ones. Source: browser
    client (screen.height).
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {
            "browser": self.browser,
            "os": self.os,
            "device_type": self.device_type,
            "user_agent": self.user_agent,
            "platform": self.platform,
            "referrer": self.referrer,
            "screen_width": self.screen_width,
            "screen_height": self.screen_height,
        }

    @classmethod
    def from_dict(cls, obj: object) -> DeviceInfo:
        """Validate parsed JSON against the schema's DeviceInfo and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("DeviceInfo", obj))

    @classmethod
    def _build(cls, obj: Any) -> DeviceInfo:
        """Build one from parsed JSON that was validated."""
        return cls(
            browser=obj.get("browser", ""),
            os=obj.get("os", ""),
            device_type=obj.get("device_type", ""),
            user_agent=obj.get("user_agent", ""),
            platform=obj.get("platform", ""),
            referrer=obj.get("referrer", ""),
            screen_width=to_int(obj.get("screen_width", 0), 9007199254740991),
            screen_height=to_int(obj.get("screen_height", 0), 9007199254740991),
        )


@record
class PageViewEventData(Record, kw_only=True, gc=False):
    """What was viewed, and when."""

    location: str
    """The URL that was viewed. Source: browser client."""

    title: str | None = None
    """The document's title; may be empty, and null from senders that have none. Source: browser
    client.
    """

    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """When the event happened, by the visitor's clock. Unit: milliseconds since the Unix epoch.
    The plain form writes 1795366034371 and the encrypted one 1795366034371.0: decoders make it a
    whole number. Source: browser client (Date.now()).
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"location": self.location, "title": self.title, "timestamp": self.timestamp}

    @classmethod
    def from_dict(cls, obj: object) -> PageViewEventData:
        """Validate parsed JSON against the schema's PageViewEventData and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("PageViewEventData", obj))

    @classmethod
    def _build(cls, obj: Any) -> PageViewEventData:
        """Build one from parsed JSON that was validated."""
        return cls(
            location=obj.get("location"),
            title=obj.get("title"),
            timestamp=to_int(obj.get("timestamp"), 9007199254740991),
        )


@record
class ClickEventData(Record, kw_only=True, gc=False):
    """Where a click was, and when."""

    x: float
    """The horizontal position. Unit: CSS pixels from the left of the viewport; -8 to 1,000,000
    were seen. Source: browser client.
    """

    y: float
    """The vertical position. Unit: CSS pixels from the top of the viewport; -8 to 1,000,000 were
    seen. Source: browser client.
    """

    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """When the event happened, by the visitor's clock. Unit: milliseconds since the Unix epoch.
    The plain form writes 1795366034371 and the encrypted one 1795366034371.0: decoders make it a
    whole number. Source: browser client (Date.now()).
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"x": self.x, "y": self.y, "timestamp": self.timestamp}

    @classmethod
    def from_dict(cls, obj: object) -> ClickEventData:
        """Validate parsed JSON against the schema's ClickEventData and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("ClickEventData", obj))

    @classmethod
    def _build(cls, obj: Any) -> ClickEventData:
        """Build one from parsed JSON that was validated."""
        return cls(
            x=to_float(obj.get("x")),
            y=to_float(obj.get("y")),
            timestamp=to_int(obj.get("timestamp"), 9007199254740991),
        )


@record
class WebVitalEventData(Record, kw_only=True, gc=False):
    """One web vital, as the web-vitals library reports it."""

    name: str
    """Which vital: CLS, FCP, INP, LCP, TTFB, and FID from older clients; an open set. Source:
    browser client.
    """

    value: float
    """The measured value. Unit: milliseconds, except CLS, which has none. Source: browser client.
    """

    rating: Literal["good", "needs-improvement", "poor"]
    """The library's verdict on the value. Source: browser client."""

    delta: float
    """The change since this vital was last reported. Unit: as value. Source: browser client."""

    id: str
    """Names this measurement within the page load, so that later reports of it can replace earlier
    ones. Source: browser client.
    """

    entries: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """How many performance entries the value was computed from. Source: browser client."""

    navigation_type: str
    """How the page was reached: navigate, reload, back-forward, back-forward-cache, prerender,
    restore, navigation; an open set. Source: browser client.
    """

    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """When the event happened, by the visitor's clock. Unit: milliseconds since the Unix epoch.
    The plain form writes 1795366034371 and the encrypted one 1795366034371.0: decoders make it a
    whole number. Source: browser client (Date.now()).
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {
            "name": self.name,
            "value": self.value,
            "rating": self.rating,
            "delta": self.delta,
            "id": self.id,
            "entries": self.entries,
            "navigation_type": self.navigation_type,
            "timestamp": self.timestamp,
        }

    @classmethod
    def from_dict(cls, obj: object) -> WebVitalEventData:
        """Validate parsed JSON against the schema's WebVitalEventData and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("WebVitalEventData", obj))

    @classmethod
    def _build(cls, obj: Any) -> WebVitalEventData:
        """Build one from parsed JSON that was validated."""
        return cls(
            name=obj.get("name"),
            value=to_float(obj.get("value")),
            rating=obj.get("rating"),
            delta=to_float(obj.get("delta")),
            id=obj.get("id"),
            entries=to_int(obj.get("entries")),
            navigation_type=obj.get("navigation_type"),
            timestamp=to_int(obj.get("timestamp"), 9007199254740991),
        )


@record
class CustomEventData(Record, kw_only=True, gc=False):
    """A custom event's name and content."""

    name: str
    """The event's name; may be empty. Source: browser client."""

    data: str
    """A string that holds any JSON text. It may hold \\ud83d escapes, so that parsing it can yield
    lone surrogates, which no UTF-8 encoder takes. Source: browser client (JSON.stringify).
    """

    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """When the event happened, by the visitor's clock. Unit: milliseconds since the Unix epoch.
    The plain form writes 1795366034371 and the encrypted one 1795366034371.0: decoders make it a
    whole number. Source: browser client (Date.now()).
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"name": self.name, "data": self.data, "timestamp": self.timestamp}

    @classmethod
    def from_dict(cls, obj: object) -> CustomEventData:
        """Validate parsed JSON against the schema's CustomEventData and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("CustomEventData", obj))

    @classmethod
    def _build(cls, obj: Any) -> CustomEventData:
        """Build one from parsed JSON that was validated."""
        return cls(
            name=obj.get("name"),
            data=obj.get("data"),
            timestamp=to_int(obj.get("timestamp"), 9007199254740991),
        )


@record
class ErrorEventData(Record, kw_only=True, gc=False):
    """What went wrong in the page's JavaScript, where, and when."""

    message: str
    """The error's message. Source: Node types."""

    source: str | None = None
    """The URL of the script; null when the browser hides it. Source: Node types."""

    lineno: Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)] | None = None
    """The line in the script; null when the browser hides it. Source: Node types."""

    colno: Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)] | None = None
    """The column in the script; null when the browser hides it. Source: Node types."""

    stack: str | None = None
    """The stack trace; null or absent where the sender has none. Source: the product's page
    ("JavaScript error with stack trace").
    """

    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]
    """When the event happened, by the visitor's clock. Unit: milliseconds since the Unix epoch.
    The plain form writes 1795366034371 and the encrypted one 1795366034371.0: decoders make it a
    whole number. Source: browser client (Date.now()).
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {
            "message": self.message,
            "source": self.source,
            "lineno": self.lineno,
            "colno": self.colno,
            "stack": self.stack,
            "timestamp": self.timestamp,
        }

    @classmethod
    def from_dict(cls, obj: object) -> ErrorEventData:
        """Validate parsed JSON against the schema's ErrorEventData and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("ErrorEventData", obj))

    @classmethod
    def _build(cls, obj: Any) -> ErrorEventData:
        """Build one from parsed JSON that was validated."""
        return cls(
            message=obj.get("message"),
            source=obj.get("source"),
            lineno=to_int(obj.get("lineno")),
            colno=to_int(obj.get("colno")),
            stack=obj.get("stack"),
            timestamp=to_int(obj.get("timestamp"), 9007199254740991),
        )


@dataclass(slots=True, kw_only=True)
class EncryptedEnvelopePayload:
    """A session as other senders encrypt it, the cipher's values inside one envelope object.
    Obfuscation, not secrecy, as with the other form.
    """

    encrypted: bool = field(default=True, compare=False)
    """Whether the session came encrypted. Not part of equality: the same session sent plain and
    sent encrypted makes equal payloads.
    """

    envelope: EncryptedEnvelope
    """The ciphertext and what its key is derived from. Source: non-browser senders."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"encrypted": True, "envelope": self.envelope.to_dict()}

    @classmethod
    def from_dict(cls, obj: object) -> EncryptedEnvelopePayload:
        """Validate parsed JSON against the schema's EncryptedEnvelopePayload and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("EncryptedEnvelopePayload", obj))

    @classmethod
    def _build(cls, obj: Any) -> EncryptedEnvelopePayload:
        """Build one from parsed JSON that was validated."""
        return cls(envelope=EncryptedEnvelope._build(obj.get("envelope", {})))


@record
class PageViewEvent(Record, kw_only=True, tag_field="type", tag="page_view", gc=False):
    """The visitor opened a page, or a single-page app changed its route."""

    type: ClassVar[Literal["page_view"]] = "page_view"
    """Marks a page view. Source: browser client."""

    data: PageViewEventData
    """What was viewed. Source: browser client."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"type": "page_view", "data": self.data.to_dict()}

    @classmethod
    def from_dict(cls, obj: object) -> PageViewEvent:
        """Validate parsed JSON against the schema's PageViewEvent and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("PageViewEvent", obj))

    @classmethod
    def _build(cls, obj: Any) -> PageViewEvent:
        """Build one from parsed JSON that was validated."""
        return cls(data=PageViewEventData._build(obj.get("data", {})))


@record
class ClickEvent(Record, kw_only=True, tag_field="type", tag="click", gc=False):
    """The visitor clicked or tapped."""

    type: ClassVar[Literal["click"]] = "click"
    """Marks a click. Source: browser client."""

    data: ClickEventData
    """Where it was. Source: browser client."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"type": "click", "data": self.data.to_dict()}

    @classmethod
    def from_dict(cls, obj: object) -> ClickEvent:
        """Validate parsed JSON against the schema's ClickEvent and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("ClickEvent", obj))

    @classmethod
    def _build(cls, obj: Any) -> ClickEvent:
        """Build one from parsed JSON that was validated."""
        return cls(data=ClickEventData._build(obj.get("data", {})))


@record
class WebVitalEvent(Record, kw_only=True, tag_field="type", tag="web_vital", gc=False):
    """A performance measurement of the page."""

    type: ClassVar[Literal["web_vital"]] = "web_vital"
    """Marks a web vital. Source: browser client."""

    data: WebVitalEventData
    """The measurement. Source: browser client."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"type": "web_vital", "data": self.data.to_dict()}

    @classmethod
    def from_dict(cls, obj: object) -> WebVitalEvent:
        """Validate parsed JSON against the schema's WebVitalEvent and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("WebVitalEvent", obj))

    @classmethod
    def _build(cls, obj: Any) -> WebVitalEvent:
        """Build one from parsed JSON that was validated."""
        return cls(data=WebVitalEventData._build(obj.get("data", {})))


@record
class CustomEvent(Record, kw_only=True, tag_field="type", tag="custom", gc=False):
    """An event of the site's own. Today's browser client also sends its JavaScript errors this
    way, named js_error and unhandled_rejection.
    """

    type: ClassVar[Literal["custom"]] = "custom"
    """Marks a custom event. Source: browser client."""

    data: CustomEventData
    """Its name and content. Source: browser client."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"type": "custom", "data": self.data.to_dict()}

    @classmethod
    def from_dict(cls, obj: object) -> CustomEvent:
        """Validate parsed JSON against the schema's CustomEvent and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("CustomEvent", obj))

    @classmethod
    def _build(cls, obj: Any) -> CustomEvent:
        """Build one from parsed JSON that was validated."""
        return cls(data=CustomEventData._build(obj.get("data", {})))


@record
class ErrorEvent(Record, kw_only=True, tag_field="type", tag="error", gc=False):
    """A JavaScript error."""

    type: ClassVar[Literal["error"]] = "error"
    """Marks an error. Source: Node types."""

    data: ErrorEventData
    """What went wrong, and where. Source: Node types."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {"type": "error", "data": self.data.to_dict()}

    @classmethod
    def from_dict(cls, obj: object) -> ErrorEvent:
        """Validate parsed JSON against the schema's ErrorEvent and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("ErrorEvent", obj))

    @classmethod
    def _build(cls, obj: Any) -> ErrorEvent:
        """Build one from parsed JSON that was validated."""
        return cls(data=ErrorEventData._build(obj.get("data", {})))


UnisightsEvent: TypeAlias = PageViewEvent | ClickEvent | WebVitalEvent | CustomEvent | ErrorEvent


@dataclass(slots=True, kw_only=True)
class UnisightsData:
    """One session's state at the moment of sending, and the events since the beacon before. In the
    encrypted forms, the plaintext is this object alone.
    """

    asset_id: Annotated[str, Meta(min_length=1)]
    """The site or app the session belongs to, as configured in the client. May be non-ASCII.
    Source: browser client.
    """

    session_id: Annotated[
        str,
        Meta(
            min_length=36,
            max_length=36,
            pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        ),
    ]
    """The session's UUID; the browser client sends a lowercase version 4, any version and case is
    taken. Source: browser client.
    """

    page_url: Annotated[
        str,
        Meta(pattern="^(?:https?://[^ /?#]+(?![^/?#])|(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:[^ ])"),
    ]
    """The absolute URL of the page that sent the beacon; http and https need a host, other schemes
    (file:, about:, an app's own) are taken as they are. 30,029 characters were seen. Source:
    browser client (location.href).
    """

    entry_page: str | None = None
    """The URL the session began on; null when page-view tracking is off. Source: browser client.
    """

    exit_page: str | None = None
    """The URL the page was hidden or left on; null until then, a string on every later beacon.
    Source: browser client.
    """

    utm_params: UtmParams = field(default_factory=lambda: UtmParams())
    """The campaign parameters of the entry URL; empty when there were none. Source: browser
    client.
    """

    device_info: DeviceInfo = field(default_factory=lambda: DeviceInfo())
    """The visitor's device and browser. Source: browser client, Node types."""

    scroll_depth: Annotated[float, Meta(ge=0)] = 0.0
    """How far down the page was scrolled at most. Unit: per cent of the page. Clients send more
    than 100 (0 to 16,666 were seen; an ordinary page with margins gives 101.38): decoders clamp to
    100. Source: browser client.
    """

    time_on_page: Annotated[float, Meta(ge=0)] = 0.0
    """How long the page has been open. Unit: seconds, fractional. Source: browser client."""

    events: list[UnisightsEvent]
    """The batch, oldest first. The browser never sends an empty one, other senders may. Source:
    browser client.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that decodes to an equal value."""
        return {
            "asset_id": self.asset_id,
            "session_id": self.session_id,
            "page_url": self.page_url,
            "entry_page": self.entry_page,
            "exit_page": self.exit_page,
            "utm_params": self.utm_params.to_dict(),
            "device_info": self.device_info.to_dict(),
            "scroll_depth": self.scroll_depth,
            "time_on_page": self.time_on_page,
            "events": [item.to_dict() for item in self.events],
        }

    @classmethod
    def from_dict(cls, obj: object) -> UnisightsData:
        """Validate parsed JSON against the schema's UnisightsData and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("UnisightsData", obj))

    @classmethod
    def _build(cls, obj: Any) -> UnisightsData:
        """Build one from parsed JSON that was validated."""
        return cls(
            asset_id=obj.get("asset_id"),
            session_id=obj.get("session_id"),
            page_url=obj.get("page_url"),
            entry_page=obj.get("entry_page"),
            exit_page=obj.get("exit_page"),
            utm_params=UtmParams._build(obj.get("utm_params", {})),
            device_info=DeviceInfo._build(obj.get("device_info", {})),
            scroll_depth=to_float(obj.get("scroll_depth", 0.0), 100),
            time_on_page=to_float(obj.get("time_on_page", 0.0)),
            events=[
                _UNISIGHTS_EVENT_BUILDERS[item["type"]](item) for item in obj.get("events", [])
            ],
        )


@dataclass(slots=True, kw_only=True)
class UnisightsPayload:
    """A session sent plain. A session sent encrypted decodes to the same type, and to an equal
    value.
    """

    data: UnisightsData
    """The session and its batch of events. Source: browser client."""

    encrypted: bool = field(default=False, compare=False)
    """Whether the session came encrypted. Not part of equality: the same session sent plain and
    sent encrypted makes equal payloads.
    """

    raw: bytes = field(default=b"", compare=False, repr=False)
    """The request's body, byte for byte as it was received; empty when the payload was not made
    from bytes. Not part of the wire, nor of equality.
    """

    received_at: int = field(default=0, compare=False)
    """When the request came, by the receiver's clock. Unit: milliseconds since the Unix epoch; 0
    when the payload came by no request. Not part of the wire, nor of equality.
    """

    quarantined: tuple[int, ...] = field(default=(), compare=False)
    """Which events of the body as received were invalid, by their indexes, and are not in
    data.events; always empty unless the option invalid_events says to quarantine them. Not part of
    the wire, nor of equality.
    """

    sent_bucket: int | None = field(default=None, compare=False)
    """The bucket that an encrypted payload was sent in, by the visitor's clock. Unit: 30 seconds
    since the Unix epoch; None when the payload came plain. Not part of the wire, nor of equality.
    """

    @property
    def content_id(self) -> str:
        """Identifies the body: a body that is sent again has the same id. It is the 128-bit
        BLAKE2b hash of `raw`, in hexadecimal; of a payload that was not made from bytes, the hash
        of the canonical JSON of `to_dict()`. The same session sent plain and sent encrypted has
        two ids. It is computed at each access.
        """
        return digest(self.raw or canonical(self.to_dict()))

    @property
    def clock_skew(self) -> int | None:
        """How far the visitor's clock is ahead of the receiver's, as far as the payload tells;
        below 0 if it is behind. Unit: milliseconds; None when nothing is known. It is the newest
        event's time less `received_at`: whatever time passes between the two, such as the client's
        waiting for more events, makes it smaller, so that a clock that is right has a value
        somewhat below 0. Of encrypted payloads, `sent_bucket` bounds the time of sending to 30
        seconds, and so this. Clients may write what they like.
        """
        return clock_skew(
            (event.data.timestamp for event in self.data.events), self.sent_bucket, self.received_at
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the payload in its plain wire form, ready for JSON."""
        return {"data": self.data.to_dict(), "encrypted": False}

    @classmethod
    def from_dict(cls, obj: object) -> UnisightsPayload:
        """Validate parsed JSON against the schema's UnisightsPayload and build one from it.

        Raises:
            ValidationError: with every problem, its pointers relative to `obj`.
        """
        return cls._build(validated("UnisightsPayload", obj))

    @classmethod
    def _build(cls, obj: Any) -> UnisightsPayload:
        """Build one from parsed JSON that was validated."""
        return cls(data=UnisightsData._build(obj.get("data", {})))


_UNISIGHTS_EVENT_BUILDERS: dict[str, Callable[[Any], UnisightsEvent]] = {
    "page_view": PageViewEvent._build,
    "click": ClickEvent._build,
    "web_vital": WebVitalEvent._build,
    "custom": CustomEvent._build,
    "error": ErrorEvent._build,
}
