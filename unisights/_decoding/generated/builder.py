# GENERATED from schema/unisights.schema.json, version 1.0.0, SHA-256
# 76669b7a4ce7afea5b7186fa877e8d6cdc95be8b177cb93ace208a15d18606c0
# Do not edit:
#   1. change the schema (or, for another shape of the code, codegen/);
#   2. run `make generate`;
#   3. commit the schema and what changed here together.

"""Builds the dataclasses from parsed JSON that was validated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unisights import types
from unisights._decoding.numbers import to_float, to_int


def build_UnisightsPayload(obj: Any) -> types.UnisightsPayload:
    return types.UnisightsPayload(data=build_UnisightsData(obj.get("data", {})))


def build_EncryptedPayload(obj: Any) -> types.EncryptedPayload:
    return types.EncryptedPayload(
        data=obj.get("data"),
        tag=obj.get("tag"),
        bucket=to_int(obj.get("bucket")),
        site_id=obj.get("site_id"),
        ua_hash=obj.get("ua_hash", ""),
    )


def build_EncryptedEnvelopePayload(obj: Any) -> types.EncryptedEnvelopePayload:
    return types.EncryptedEnvelopePayload(envelope=build_EncryptedEnvelope(obj.get("envelope", {})))


def build_EncryptedEnvelope(obj: Any) -> types.EncryptedEnvelope:
    return types.EncryptedEnvelope(
        site_id=obj.get("site_id"),
        ua_hash=obj.get("ua_hash", ""),
        bucket=to_int(obj.get("bucket")),
        tag=obj.get("tag"),
        ciphertext=obj.get("ciphertext"),
    )


def build_UnisightsData(obj: Any) -> types.UnisightsData:
    return types.UnisightsData(
        asset_id=obj.get("asset_id"),
        session_id=obj.get("session_id"),
        page_url=obj.get("page_url"),
        entry_page=obj.get("entry_page"),
        exit_page=obj.get("exit_page"),
        utm_params=build_UtmParams(obj.get("utm_params", {})),
        device_info=build_DeviceInfo(obj.get("device_info", {})),
        scroll_depth=to_float(obj.get("scroll_depth", 0.0), 100),
        time_on_page=to_float(obj.get("time_on_page", 0.0)),
        events=[UNION_Event[item["type"]](item) for item in obj.get("events", [])],
    )


def build_UtmParams(obj: Any) -> types.UtmParams:
    return types.UtmParams(
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


def build_DeviceInfo(obj: Any) -> types.DeviceInfo:
    return types.DeviceInfo(
        browser=obj.get("browser", ""),
        os=obj.get("os", ""),
        device_type=obj.get("device_type", ""),
        user_agent=obj.get("user_agent", ""),
        platform=obj.get("platform", ""),
        referrer=obj.get("referrer", ""),
        screen_width=to_int(obj.get("screen_width", 0), 9007199254740991),
        screen_height=to_int(obj.get("screen_height", 0), 9007199254740991),
    )


def build_PageViewEvent(obj: Any) -> types.PageViewEvent:
    return types.PageViewEvent(data=build_PageViewEventData(obj.get("data", {})))


def build_PageViewEventData(obj: Any) -> types.PageViewEventData:
    return types.PageViewEventData(
        location=obj.get("location"),
        title=obj.get("title"),
        timestamp=to_int(obj.get("timestamp"), 9007199254740991),
    )


def build_ClickEvent(obj: Any) -> types.ClickEvent:
    return types.ClickEvent(data=build_ClickEventData(obj.get("data", {})))


def build_ClickEventData(obj: Any) -> types.ClickEventData:
    return types.ClickEventData(
        x=to_float(obj.get("x")),
        y=to_float(obj.get("y")),
        timestamp=to_int(obj.get("timestamp"), 9007199254740991),
    )


def build_WebVitalEvent(obj: Any) -> types.WebVitalEvent:
    return types.WebVitalEvent(data=build_WebVitalEventData(obj.get("data", {})))


def build_WebVitalEventData(obj: Any) -> types.WebVitalEventData:
    return types.WebVitalEventData(
        name=obj.get("name"),
        value=to_float(obj.get("value")),
        rating=obj.get("rating"),
        delta=to_float(obj.get("delta")),
        id=obj.get("id"),
        entries=to_int(obj.get("entries")),
        navigation_type=obj.get("navigation_type"),
        timestamp=to_int(obj.get("timestamp"), 9007199254740991),
    )


def build_CustomEvent(obj: Any) -> types.CustomEvent:
    return types.CustomEvent(data=build_CustomEventData(obj.get("data", {})))


def build_CustomEventData(obj: Any) -> types.CustomEventData:
    return types.CustomEventData(
        name=obj.get("name"),
        data=obj.get("data"),
        timestamp=to_int(obj.get("timestamp"), 9007199254740991),
    )


def build_ErrorEvent(obj: Any) -> types.ErrorEvent:
    return types.ErrorEvent(data=build_ErrorEventData(obj.get("data", {})))


def build_ErrorEventData(obj: Any) -> types.ErrorEventData:
    return types.ErrorEventData(
        message=obj.get("message"),
        source=obj.get("source"),
        lineno=to_int(obj.get("lineno")),
        colno=to_int(obj.get("colno")),
        stack=obj.get("stack"),
        timestamp=to_int(obj.get("timestamp"), 9007199254740991),
    )


UNION_Event: dict[str, Callable[[Any], types.Event]] = {
    "page_view": build_PageViewEvent,
    "click": build_ClickEvent,
    "web_vital": build_WebVitalEvent,
    "custom": build_CustomEvent,
    "error": build_ErrorEvent,
}

BUILDERS: dict[str, Callable[[Any], Any]] = {
    "UnisightsPayload": build_UnisightsPayload,
    "EncryptedPayload": build_EncryptedPayload,
    "EncryptedEnvelopePayload": build_EncryptedEnvelopePayload,
    "EncryptedEnvelope": build_EncryptedEnvelope,
    "UnisightsData": build_UnisightsData,
    "UtmParams": build_UtmParams,
    "DeviceInfo": build_DeviceInfo,
    "PageViewEvent": build_PageViewEvent,
    "PageViewEventData": build_PageViewEventData,
    "ClickEvent": build_ClickEvent,
    "ClickEventData": build_ClickEventData,
    "WebVitalEvent": build_WebVitalEvent,
    "WebVitalEventData": build_WebVitalEventData,
    "CustomEvent": build_CustomEvent,
    "CustomEventData": build_CustomEventData,
    "ErrorEvent": build_ErrorEvent,
    "ErrorEventData": build_ErrorEventData,
}
"""The builder of each definition."""

UNIONS: dict[str, dict[str, str]] = {
    "Event": {
        "page_view": "PageViewEvent",
        "click": "ClickEvent",
        "web_vital": "WebVitalEvent",
        "custom": "CustomEvent",
        "error": "ErrorEvent",
    }
}
"""For each union, the definition that each `type` stands for."""

BATCHES: dict[str, list[tuple[tuple[str, ...], str]]] = {
    "UnisightsPayload": [(("data", "events"), "Event")],
    "UnisightsData": [(("events",), "Event")],
}
"""For each definition, the paths of its arrays of unions, and which union."""
