# GENERATED from schema/unisights.schema.json, version 1.0.0, SHA-256
# 76669b7a4ce7afea5b7186fa877e8d6cdc95be8b177cb93ace208a15d18606c0
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

REFUSALS = (DecodeError, ValidationError, RecursionError)
"""What the decoders raise: the bytes are not JSON, or not what the fast path takes."""

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


class _DeviceInfo(Struct, kw_only=True):
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


class _PageViewEventData(Struct, kw_only=True):
    location: str
    title: str | None = None
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]


class _ClickEventData(Struct, kw_only=True):
    x: float
    y: float
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]


class _WebVitalEventData(Struct, kw_only=True):
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


class _CustomEventData(Struct, kw_only=True):
    name: str
    data: str
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)] | Annotated[float, Meta(ge=0)]


class _ErrorEventData(Struct, kw_only=True):
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


class _UnisightsData(Struct, kw_only=True):
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


class _UnisightsPayload(Struct, kw_only=True):
    data: _UnisightsData
    encrypted: bool = False


def _to_UtmParams(mirror: dict[str, str]) -> types.UtmParams:
    out = _new(types.UtmParams)
    pop = mirror.pop
    out.utm_source = pop("utm_source", "")
    out.utm_medium = pop("utm_medium", "")
    out.utm_campaign = pop("utm_campaign", "")
    out.utm_term = pop("utm_term", "")
    out.utm_content = pop("utm_content", "")
    out.extra = mirror
    return out


def _to_DeviceInfo(mirror: _DeviceInfo) -> types.DeviceInfo:
    return types.DeviceInfo(
        browser=mirror.browser,
        os=mirror.os,
        device_type=mirror.device_type,
        user_agent=mirror.user_agent,
        platform=mirror.platform,
        referrer=mirror.referrer,
        screen_width=_floored(mirror.screen_width, 9007199254740991),
        screen_height=_floored(mirror.screen_height, 9007199254740991),
    )


def _to_PageViewEventData(mirror: _PageViewEventData) -> types.PageViewEventData:
    return types.PageViewEventData(
        location=mirror.location,
        title=mirror.title,
        timestamp=_floored(mirror.timestamp, 9007199254740991),
    )


def _to_ClickEventData(mirror: _ClickEventData) -> types.ClickEventData:
    return types.ClickEventData(
        x=mirror.x, y=mirror.y, timestamp=_floored(mirror.timestamp, 9007199254740991)
    )


def _to_WebVitalEventData(mirror: _WebVitalEventData) -> types.WebVitalEventData:
    return types.WebVitalEventData(
        name=mirror.name,
        value=mirror.value,
        rating=mirror.rating,
        delta=mirror.delta,
        id=mirror.id,
        entries=_whole(mirror.entries),
        navigation_type=mirror.navigation_type,
        timestamp=_floored(mirror.timestamp, 9007199254740991),
    )


def _to_CustomEventData(mirror: _CustomEventData) -> types.CustomEventData:
    return types.CustomEventData(
        name=mirror.name, data=mirror.data, timestamp=_floored(mirror.timestamp, 9007199254740991)
    )


def _to_ErrorEventData(mirror: _ErrorEventData) -> types.ErrorEventData:
    return types.ErrorEventData(
        message=mirror.message,
        source=mirror.source,
        lineno=_whole(mirror.lineno),
        colno=_whole(mirror.colno),
        stack=mirror.stack,
        timestamp=_floored(mirror.timestamp, 9007199254740991),
    )


def _to_Event_list(mirrors: list[Any]) -> list[types.Event]:
    out: list[types.Event] = []
    append = out.append
    for mirror in mirrors:
        kind = type(mirror)
        if kind is _PageViewEvent:
            append(types.PageViewEvent(data=_to_PageViewEventData(mirror.data)))
        elif kind is _ClickEvent:
            append(types.ClickEvent(data=_to_ClickEventData(mirror.data)))
        elif kind is _WebVitalEvent:
            append(types.WebVitalEvent(data=_to_WebVitalEventData(mirror.data)))
        elif kind is _CustomEvent:
            append(types.CustomEvent(data=_to_CustomEventData(mirror.data)))
        elif kind is _ErrorEvent:
            append(types.ErrorEvent(data=_to_ErrorEventData(mirror.data)))
    return out


def _to_UnisightsData(mirror: _UnisightsData) -> types.UnisightsData:
    out = _new(types.UnisightsData)
    out.asset_id = mirror.asset_id
    out.session_id = mirror.session_id
    out.page_url = mirror.page_url
    out.entry_page = mirror.entry_page
    out.exit_page = mirror.exit_page
    out.utm_params = _to_UtmParams(mirror.utm_params)
    out.device_info = (
        types.DeviceInfo() if mirror.device_info is UNSET else _to_DeviceInfo(mirror.device_info)
    )
    out.scroll_depth = min(mirror.scroll_depth, 100.0)
    out.time_on_page = mirror.time_on_page
    out.events = _to_Event_list(mirror.events)
    return out


def _to_UnisightsPayload(mirror: _UnisightsPayload) -> types.UnisightsPayload:
    if mirror.encrypted is not False:
        raise ValidationError("encrypted")
    return types.UnisightsPayload(data=_to_UnisightsData(mirror.data))


_unisights_payload = Decoder(_UnisightsPayload)


def decode_UnisightsPayload(body: bytes) -> types.UnisightsPayload:
    return _to_UnisightsPayload(_unisights_payload.decode(body))


_unisights_data = Decoder(_UnisightsData)


def decode_UnisightsData(body: bytes) -> types.UnisightsData:
    return _to_UnisightsData(_unisights_data.decode(body))
