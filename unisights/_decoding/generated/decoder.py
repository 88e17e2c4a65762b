# GENERATED from schema/unisights.schema.json, version 1.0.0, SHA-256
# 76669b7a4ce7afea5b7186fa877e8d6cdc95be8b177cb93ace208a15d18606c0
# Do not edit:
#   1. change the schema (or, for another shape of the code, codegen/);
#   2. run `make generate`;
#   3. commit the schema and what changed here together.

"""Decodes bytes straight into the dataclasses: the fast path."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType, ValidationError, field
from msgspec.json import Decoder

from unisights import types

REFUSALS = (DecodeError, ValidationError, RecursionError)
"""What the decoders raise: the bytes are not JSON, or not what the fast path takes."""

_new = object.__new__


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
    device_info: types.DeviceInfo = field(default_factory=types.DeviceInfo)
    scroll_depth: Annotated[float, Meta(ge=0)] = 0.0
    time_on_page: Annotated[float, Meta(ge=0)] = 0.0
    events: list[
        types.PageViewEvent
        | types.ClickEvent
        | types.WebVitalEvent
        | types.CustomEvent
        | types.ErrorEvent
    ]


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


def _to_UnisightsData(mirror: _UnisightsData) -> types.UnisightsData:
    out = _new(types.UnisightsData)
    out.asset_id = mirror.asset_id
    out.session_id = mirror.session_id
    out.page_url = mirror.page_url
    out.entry_page = mirror.entry_page
    out.exit_page = mirror.exit_page
    out.utm_params = _to_UtmParams(mirror.utm_params)
    out.device_info = mirror.device_info
    out.scroll_depth = min(mirror.scroll_depth, 100.0)
    out.time_on_page = mirror.time_on_page
    out.events = mirror.events
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


MEMBERS: dict[str, type[Struct]] = {
    "PageViewEvent": types.PageViewEvent,
    "ClickEvent": types.ClickEvent,
    "WebVitalEvent": types.WebVitalEvent,
    "CustomEvent": types.CustomEvent,
    "ErrorEvent": types.ErrorEvent,
}
"""What a member of each union is decoded into."""
