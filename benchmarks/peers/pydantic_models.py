"""pydantic models, the events a discriminated union."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0, le=9007199254740991)]
Timestamp = Count


class PageViewEventData(BaseModel):
    location: str
    title: str | None = None
    timestamp: Timestamp


class ClickEventData(BaseModel):
    x: float
    y: float
    timestamp: Timestamp


class WebVitalEventData(BaseModel):
    name: str
    value: float
    rating: Literal["good", "needs-improvement", "poor"]
    delta: float
    id: str
    entries: Count
    navigation_type: str
    timestamp: Timestamp


class CustomEventData(BaseModel):
    name: str
    data: str
    timestamp: Timestamp


class ErrorEventData(BaseModel):
    message: str
    source: str | None = None
    lineno: int | None = None
    colno: int | None = None
    stack: str | None = None
    timestamp: Timestamp


class PageViewEvent(BaseModel):
    type: Literal["page_view"]
    data: PageViewEventData


class ClickEvent(BaseModel):
    type: Literal["click"]
    data: ClickEventData


class WebVitalEvent(BaseModel):
    type: Literal["web_vital"]
    data: WebVitalEventData


class CustomEvent(BaseModel):
    type: Literal["custom"]
    data: CustomEventData


class ErrorEvent(BaseModel):
    type: Literal["error"]
    data: ErrorEventData


Event = Annotated[
    PageViewEvent | ClickEvent | WebVitalEvent | CustomEvent | ErrorEvent,
    Field(discriminator="type"),
]


class DeviceInfo(BaseModel):
    browser: str = ""
    os: str = ""
    device_type: str = ""
    user_agent: str = ""
    platform: str = ""
    referrer: str = ""
    screen_width: NonNegative = 0
    screen_height: NonNegative = 0


class Data(BaseModel):
    asset_id: Annotated[str, Field(min_length=1)]
    session_id: Annotated[
        str,
        Field(
            pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
        ),
    ]
    page_url: Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9+.-]*:[^ ]")]
    entry_page: str | None = None
    exit_page: str | None = None
    utm_params: dict[str, str] = {}  # pydantic copies it
    device_info: DeviceInfo = DeviceInfo()
    scroll_depth: NonNegative = 0
    time_on_page: NonNegative = 0
    events: list[Event]


class Payload(BaseModel):
    data: Data
    encrypted: Literal[False] = False


decode = Payload.model_validate_json
