# GENERATED from schema/unisights.schema.json, version 2.0.0, SHA-256
# ffbb04f1c530dacc6fd3ec6c72ac1bcc472d1c69e72606b24fdfa5036103a432
# Do not edit:
#   1. change the schema (or, for another shape of the code, codegen/);
#   2. run `make generate`;
#   3. commit the schema and what changed here together.

"""Decodes bytes into the dataclasses, also where whole numbers are written as floats."""

from __future__ import annotations

from math import floor
from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType, ValidationError, field
from msgspec.json import Decoder

from unisights import types

REFUSALS = (DecodeError, ValidationError, RecursionError, UnicodeDecodeError)
"""What the decoders raise: the bytes are not JSON, or not what they take."""

_new = object.__new__


def _floored(value: Any, maximum: int | None = None) -> Any:
    if type(value) is not float:
        return value
    whole = floor(value)
    return whole if maximum is None or whole < maximum else maximum


def _whole(value: Any) -> Any:
    if type(value) is float and not value.is_integer():
        raise ValidationError("not whole")
    return _floored(value)


class _PageViewEvent(Struct, tag_field="type", tag="page_view", kw_only=True, gc=False):
    data: _PageViewEventData


class _ClickEvent(Struct, tag_field="type", tag="click", kw_only=True, gc=False):
    data: _ClickEventData


class _WebVitalEvent(Struct, tag_field="type", tag="web_vital", kw_only=True, gc=False):
    data: _WebVitalEventData


class _CustomEvent(Struct, tag_field="type", tag="custom", kw_only=True, gc=False):
    data: _CustomEventData


class _ErrorEvent(Struct, tag_field="type", tag="error", kw_only=True, gc=False):
    data: _ErrorEventData


class _DeviceInfo(Struct, kw_only=True, gc=False):
    browser: str = ""
    os: str = ""
    device_type: str = ""
    user_agent: str = ""
    platform: str = ""
    referrer: str = ""
    screen_width: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)] = 0
    screen_height: (
        Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]
    ) = 0


class _PageViewEventData(Struct, kw_only=True, gc=False):
    location: str
    title: str | None = None
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]


class _ClickEventData(Struct, kw_only=True, gc=False):
    x: float
    y: float
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]


class _WebVitalEventData(Struct, kw_only=True, gc=False):
    name: str
    value: float
    rating: Literal["good", "needs-improvement", "poor"]
    delta: float
    id: str
    entries: (
        Annotated[int, Meta(ge=0, le=9007199254740991)]
        | Annotated[float, Meta(ge=0, le=9007199254740991)]
    )
    navigation_type: str
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]


class _CustomEventData(Struct, kw_only=True, gc=False):
    name: str
    data: str
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]


class _ErrorEventData(Struct, kw_only=True, gc=False):
    message: str
    source: str | None = None
    lineno: (
        Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)]
        | Annotated[float, Meta(ge=-9007199254740991, le=9007199254740991)]
        | None
    ) = None
    colno: (
        Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)]
        | Annotated[float, Meta(ge=-9007199254740991, le=9007199254740991)]
        | None
    ) = None
    stack: str | None = None
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]


class _UnisightsData(Struct, kw_only=True, gc=False):
    asset_id: Annotated[str, Meta(min_length=1)]
    session_id: Annotated[
        str,
        Meta(
            min_length=36,
            max_length=36,
            pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        ),
    ]
    page_url: Annotated[
        str,
        Meta(pattern="^(?:https?://[^ /?#]+(?![^/?#])|(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:[^ ])"),
    ]
    entry_page: str | None = None
    exit_page: str | None = None
    utm_params: dict[str, str] = field(default_factory=dict)
    device_info: _DeviceInfo | UnsetType = UNSET
    scroll_depth: Annotated[float, Meta(ge=0)] = 0.0
    time_on_page: Annotated[float, Meta(ge=0)] = 0.0
    events: list[_PageViewEvent | _ClickEvent | _WebVitalEvent | _CustomEvent | _ErrorEvent]


class _UnisightsPayload(Struct, kw_only=True, gc=False):
    data: _UnisightsData
    encrypted: bool = False


def _to_UtmParams(wire: dict[str, str]) -> types.UtmParams:
    out = _new(types.UtmParams)
    pop = wire.pop
    out.utm_source = pop("utm_source", "")
    out.utm_medium = pop("utm_medium", "")
    out.utm_campaign = pop("utm_campaign", "")
    out.utm_term = pop("utm_term", "")
    out.utm_content = pop("utm_content", "")
    out.extra = wire
    return out


def _to_DeviceInfo(wire: _DeviceInfo) -> types.DeviceInfo:
    return types.DeviceInfo(
        browser=wire.browser,
        os=wire.os,
        device_type=wire.device_type,
        user_agent=wire.user_agent,
        platform=wire.platform,
        referrer=wire.referrer,
        screen_width=_floored(wire.screen_width, 9007199254740991),
        screen_height=_floored(wire.screen_height, 9007199254740991),
    )


def _to_PageViewEventData(wire: _PageViewEventData) -> types.PageViewEventData:
    return types.PageViewEventData(
        location=wire.location,
        title=wire.title,
        timestamp=_floored(wire.timestamp, 9007199254740991),
    )


def _to_ClickEventData(wire: _ClickEventData) -> types.ClickEventData:
    return types.ClickEventData(
        x=wire.x, y=wire.y, timestamp=_floored(wire.timestamp, 9007199254740991)
    )


def _to_WebVitalEventData(wire: _WebVitalEventData) -> types.WebVitalEventData:
    return types.WebVitalEventData(
        name=wire.name,
        value=wire.value,
        rating=wire.rating,
        delta=wire.delta,
        id=wire.id,
        entries=_whole(wire.entries),
        navigation_type=wire.navigation_type,
        timestamp=_floored(wire.timestamp, 9007199254740991),
    )


def _to_CustomEventData(wire: _CustomEventData) -> types.CustomEventData:
    return types.CustomEventData(
        name=wire.name, data=wire.data, timestamp=_floored(wire.timestamp, 9007199254740991)
    )


def _to_ErrorEventData(wire: _ErrorEventData) -> types.ErrorEventData:
    return types.ErrorEventData(
        message=wire.message,
        source=wire.source,
        lineno=_whole(wire.lineno),
        colno=_whole(wire.colno),
        stack=wire.stack,
        timestamp=_floored(wire.timestamp, 9007199254740991),
    )


def _to_UnisightsEvent_list(wires: list[Any]) -> list[types.UnisightsEvent]:
    out: list[types.UnisightsEvent] = []
    append = out.append
    for wire in wires:
        kind = type(wire)
        if kind is _PageViewEvent:
            append(types.PageViewEvent(data=_to_PageViewEventData(wire.data)))
        elif kind is _ClickEvent:
            append(types.ClickEvent(data=_to_ClickEventData(wire.data)))
        elif kind is _WebVitalEvent:
            append(types.WebVitalEvent(data=_to_WebVitalEventData(wire.data)))
        elif kind is _CustomEvent:
            append(types.CustomEvent(data=_to_CustomEventData(wire.data)))
        elif kind is _ErrorEvent:
            append(types.ErrorEvent(data=_to_ErrorEventData(wire.data)))
    return out


def _to_UnisightsData(wire: _UnisightsData) -> types.UnisightsData:
    out = _new(types.UnisightsData)
    out.asset_id = wire.asset_id
    out.session_id = wire.session_id
    out.page_url = wire.page_url
    out.entry_page = wire.entry_page
    out.exit_page = wire.exit_page
    out.utm_params = _to_UtmParams(wire.utm_params)
    out.device_info = (
        types.DeviceInfo() if wire.device_info is UNSET else _to_DeviceInfo(wire.device_info)
    )
    out.scroll_depth = min(wire.scroll_depth, 100.0)
    out.time_on_page = wire.time_on_page
    out.events = _to_UnisightsEvent_list(wire.events)
    return out


def _to_UnisightsPayload(wire: _UnisightsPayload) -> types.UnisightsPayload:
    if wire.encrypted is not False:
        raise ValidationError("encrypted")
    return types.UnisightsPayload(data=_to_UnisightsData(wire.data))


_decode_unisights_payload = Decoder(_UnisightsPayload).decode


def decode_UnisightsPayload(body: bytes) -> types.UnisightsPayload:
    if not body.isascii():
        body.decode()  # What msgspec skips, it does not check.
    return _to_UnisightsPayload(_decode_unisights_payload(body))


_decode_unisights_data = Decoder(_UnisightsData).decode


def decode_UnisightsData(body: bytes) -> types.UnisightsData:
    if not body.isascii():
        body.decode()  # What msgspec skips, it does not check.
    return _to_UnisightsData(_decode_unisights_data(body))
