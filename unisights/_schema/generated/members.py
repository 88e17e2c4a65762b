# GENERATED from schema/unisights.schema.json, version 2.0.0, SHA-256
# ffbb04f1c530dacc6fd3ec6c72ac1bcc472d1c69e72606b24fdfa5036103a432
# Do not edit:
#   1. change the schema (or, for another shape of the code, codegen/);
#   2. run `make generate`;
#   3. commit the schema and what changed here together.

"""Structs that take members of unions, if they are valid."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field


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


class _PageViewEventData(Struct, kw_only=True, gc=False):
    location: str
    title: str | None = None
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]


class _ClickEventData(Struct, kw_only=True, gc=False):
    x: float
    y: float
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]


class _WebVitalEventData(Struct, kw_only=True, gc=False):
    name: str
    value: float
    rating: Literal["good", "needs-improvement", "poor"]
    delta: float
    id: str
    entries: Annotated[int, Meta(ge=0, le=9007199254740991)]
    navigation_type: str
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]


class _CustomEventData(Struct, kw_only=True, gc=False):
    name: str
    data: str
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]


class _ErrorEventData(Struct, kw_only=True, gc=False):
    message: str
    source: str | None = None
    lineno: Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)] | None = None
    colno: Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)] | None = None
    stack: str | None = None
    timestamp: Annotated[int, Meta(ge=0, le=9007199254740991)]


MEMBERS: dict[str, type[Struct]] = {
    "PageViewEvent": _PageViewEvent,
    "ClickEvent": _ClickEvent,
    "WebVitalEvent": _WebVitalEvent,
    "CustomEvent": _CustomEvent,
    "ErrorEvent": _ErrorEvent,
}
"""The struct of each definition; a definition that a struct cannot express has none."""
