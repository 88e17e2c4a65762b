# GENERATED from schema/unisights.schema.json, version 2.0.0, SHA-256
# ffbb04f1c530dacc6fd3ec6c72ac1bcc472d1c69e72606b24fdfa5036103a432
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

REFUSALS = (DecodeError, ValidationError, RecursionError, UnicodeDecodeError)
"""What the decoders raise: the bytes are not JSON, or not what they take."""

_new = object.__new__


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


def _to_UnisightsData(wire: _UnisightsData) -> types.UnisightsData:
    out = _new(types.UnisightsData)
    out.asset_id = wire.asset_id
    out.session_id = wire.session_id
    out.page_url = wire.page_url
    out.entry_page = wire.entry_page
    out.exit_page = wire.exit_page
    out.utm_params = _to_UtmParams(wire.utm_params)
    out.device_info = wire.device_info
    out.scroll_depth = min(wire.scroll_depth, 100.0)
    out.time_on_page = wire.time_on_page
    out.events = wire.events
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
