"""What type checkers must refuse: every line that is marked, and no other."""

# pyright: strict

import fastapi
import flask

import unisights
from unisights import (
    Background,
    Durable,
    Inline,
    RequestInfo,
    Retry,
    UnisightsOptions,
    UnisightsPayload,
)
from unisights.asgi import unisights_asgi
from unisights.fastapi import unisights_fastapi
from unisights.flask import unisights_flask
from unisights.types import ClickEvent, ClickEventData, UnisightsEvent


def wrong_handler(payload: UnisightsPayload) -> None:
    """Takes too few arguments."""


async def fastapi_handler(payload: UnisightsPayload, request: fastapi.Request) -> None:
    """Takes FastAPI's request."""


def info_handler(payload: UnisightsPayload, request: RequestInfo) -> None:
    """Takes the snapshot of a request."""


def use(payload: UnisightsPayload, event: UnisightsEvent) -> None:
    """Attributes and values that are not there."""
    payload.data.nothing  # WRONG
    event.data.x  # WRONG
    if event.type == "swipe":  # WRONG
        pass
    if event.type == "click":
        event.data.title  # WRONG


UnisightsOptions("/events")  # WRONG
UnisightsOptions(path=5)  # WRONG
UnisightsOptions(delivery="durably")  # WRONG
UnisightsOptions(delivery="durable")  # WRONG
UnisightsOptions(delivery=Inline)  # WRONG
UnisightsOptions(queue_size=5)  # WRONG
UnisightsOptions(spool="events.spool")  # WRONG
Inline(queue_size=5)  # WRONG
Background(ordered=True)  # WRONG
Background(retry=Retry(attempts=2))  # WRONG
Durable()  # WRONG
Durable("events.spool", "power")  # WRONG
Durable("events.spool", durability="disk")  # WRONG
Durable("events.spool", retry=5)  # WRONG
Retry()  # WRONG
UnisightsOptions(handler=wrong_handler)  # WRONG
UnisightsOptions(handler="print")  # WRONG
UnisightsOptions(no_such_option=True)  # WRONG
ClickEventData(x="left", y=0, timestamp=0)  # WRONG
ClickEventData(x=0, y=0)  # WRONG
ClickEvent(data=None)  # WRONG
ClickEvent(type="custom", data=ClickEventData(x=0, y=0, timestamp=0))  # WRONG
unisights.decode_unisights_paylod(b"")  # WRONG
unisights.types.ClickEvnt  # WRONG
of_fastapi = UnisightsOptions(handler=fastapi_handler)
unisights_flask(of_fastapi)  # WRONG
unisights_asgi(of_fastapi)  # WRONG
unisights_fastapi(UnisightsOptions[flask.Request]())  # WRONG
UnisightsOptions[flask.Request](handler=info_handler)  # WRONG
