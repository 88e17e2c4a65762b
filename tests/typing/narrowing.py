"""What type checkers must see: never run, only checked."""

# pyright: strict

import dataclasses
from typing import Any, Literal, assert_never, assert_type

import unisights
from unisights import UnisightsEvent, UnisightsPayload
from unisights.types import (
    ClickEvent,
    ClickEventData,
    CustomEvent,
    CustomEventData,
    ErrorEvent,
    ErrorEventData,
    PageViewEvent,
    PageViewEventData,
    WebVitalEvent,
    WebVitalEventData,
)

Shown = PageViewEvent | ClickEvent | WebVitalEvent | CustomEvent | ErrorEvent
"""The types of events that are told apart here; the union may get more."""


def all_are_events(event: Shown) -> UnisightsEvent:
    """Each type is one of the union."""
    return event


def by_type(event: Shown) -> None:
    """Comparing the type narrows the event and its data."""
    if event.type == "page_view":
        assert_type(event, PageViewEvent)
        assert_type(event.data, PageViewEventData)
        assert_type(event.data.title, str | None)
    elif event.type == "click":
        assert_type(event.data, ClickEventData)
        assert_type(event.data.x, float)
    elif event.type == "web_vital":
        assert_type(event.data, WebVitalEventData)
        assert_type(event.data.rating, Literal["good", "needs-improvement", "poor"])
    elif event.type == "custom":
        assert_type(event.data, CustomEventData)
    elif event.type == "error":
        assert_type(event.data, ErrorEventData)
        assert_type(event.data.stack, str | None)
    else:
        assert_never(event)


def by_match(event: Shown) -> float:
    """`match` on the classes is exhaustive, and takes the data apart."""
    match event:
        case PageViewEvent(data=data):
            assert_type(data, PageViewEventData)
            return data.timestamp
        case ClickEvent(data=ClickEventData(x=x, y=y)):
            return x + y
        case WebVitalEvent():
            return event.data.value
        case CustomEvent() | ErrorEvent():
            return event.data.timestamp


def attributes(payload: UnisightsPayload) -> None:
    """What the schema gives a default is never None."""
    assert_type(payload.data.events, list[UnisightsEvent])
    assert_type(payload.data.device_info.browser, str)
    assert_type(payload.data.utm_params.utm_source, str)
    assert_type(payload.data.utm_params.extra, dict[str, str])
    assert_type(payload.data.entry_page, str | None)
    assert_type(payload.data.scroll_depth, float)
    assert_type(payload.data.device_info.screen_width, int)
    assert_type(payload.encrypted, bool)
    assert_type(payload.raw, bytes)
    assert_type(payload.to_dict(), dict[str, Any])
    assert_type(UnisightsPayload.from_dict({}), UnisightsPayload)


def records_are_dataclasses(event: ClickEvent) -> ClickEvent:
    """Type checkers take events for dataclasses, too."""
    assert_type(dataclasses.asdict(event), dict[str, Any])
    return dataclasses.replace(event, data=ClickEventData(x=1, y=2, timestamp=3))


def modules_are_attributes() -> None:
    """The package's modules can be reached through it, and its version."""
    assert_type(unisights.__version__, str)
    assert_type(unisights.types.ClickEventData(x=1, y=2, timestamp=3), ClickEventData)
