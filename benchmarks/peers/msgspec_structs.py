"""msgspec Structs: checked as they are decoded; `1.0` for a whole number is refused."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

NonNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0, le=9007199254740991)]
Timestamp = int | float
"""msgspec checks no bound of a union; a float alone would round no timestamp down."""


class PageViewEventData(Struct):
    location: str
    timestamp: Timestamp
    title: str | None = None


class ClickEventData(Struct):
    x: float
    y: float
    timestamp: Timestamp


class WebVitalEventData(Struct):
    name: str
    value: float
    rating: Literal["good", "needs-improvement", "poor"]
    delta: float
    id: str
    entries: Count
    navigation_type: str
    timestamp: Timestamp


class CustomEventData(Struct):
    name: str
    data: str
    timestamp: Timestamp


class ErrorEventData(Struct):
    message: str
    timestamp: Timestamp
    source: str | None = None
    lineno: int | None = None
    colno: int | None = None
    stack: str | None = None


class PageViewEvent(Struct, tag_field="type", tag="page_view"):
    data: PageViewEventData


class ClickEvent(Struct, tag_field="type", tag="click"):
    data: ClickEventData


class WebVitalEvent(Struct, tag_field="type", tag="web_vital"):
    data: WebVitalEventData


class CustomEvent(Struct, tag_field="type", tag="custom"):
    data: CustomEventData


class ErrorEvent(Struct, tag_field="type", tag="error"):
    data: ErrorEventData


Event = PageViewEvent | ClickEvent | WebVitalEvent | CustomEvent | ErrorEvent


class DeviceInfo(Struct):
    browser: str = ""
    os: str = ""
    device_type: str = ""
    user_agent: str = ""
    platform: str = ""
    referrer: str = ""
    screen_width: NonNegative = 0
    screen_height: NonNegative = 0


class Data(Struct):
    asset_id: Annotated[str, Meta(min_length=1)]
    session_id: Annotated[
        str,
        Meta(
            max_length=36,
            pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
        ),
    ]
    page_url: Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9+.-]*:[^ ]")]
    events: list[Event]
    entry_page: str | None = None
    exit_page: str | None = None
    utm_params: dict[str, str] = {}  # msgspec copies it
    device_info: DeviceInfo = msgspec.field(default_factory=DeviceInfo)
    scroll_depth: NonNegative = 0
    time_on_page: NonNegative = 0


class Payload(Struct):
    data: Data
    encrypted: bool = False


decode = msgspec.json.Decoder(Payload).decode
