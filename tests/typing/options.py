"""What type checkers must take as handlers and options: never run, only checked."""

# pyright: strict

import functools
from pathlib import Path
from typing import Any

import fastapi
import flask

from unisights import (
    Background,
    Durable,
    Inline,
    Rejection,
    RequestInfo,
    Retry,
    UnisightsOptions,
    UnisightsPayload,
)
from unisights.asgi import unisights_asgi
from unisights.fastapi import unisights_fastapi
from unisights.flask import unisights_flask
from unisights.sinks import RedisStreamSink, SQLiteSink


async def async_handler(payload: UnisightsPayload, request: RequestInfo) -> None:
    """An async function."""


def sync_handler(payload: UnisightsPayload, request: Any) -> int:
    """A sync function; what it returns does not matter."""
    return len(payload.data.events)


class Handler:
    """An object with an async call."""

    async def __call__(self, payload: UnisightsPayload, request: object) -> None:
        """Handle a payload."""


def on_error(payload: UnisightsPayload, error: Exception) -> None:
    """Where failures go."""


async def on_reject(rejection: Rejection) -> None:
    """Where what was rejected goes."""
    indexes: list[int | None] = [problem.event for problem in rejection.problems]
    assert len(indexes) >= len(rejection.quarantined) or rejection.status is None


UnisightsOptions(on_reject=on_reject, invalid_events="quarantine")
UnisightsOptions(handler=async_handler, on_error=on_error, delivery="background")
UnisightsOptions(handler=sync_handler, allow_origins=["https://example.com"], delivery="inline")
UnisightsOptions(handler=Handler(), allow_origins=("null",), server_secret=b"x")
UnisightsOptions(handler=functools.partial(sync_handler), delivery=Inline())
UnisightsOptions(delivery=Background(queue_size=5, drain_timeout=1))
UnisightsOptions(delivery=Durable("events.spool", ordered=True, retry=Retry(attempts=3)))
UnisightsOptions(delivery=Durable(Path("events.spool"), durability="power"))
UnisightsOptions(handler=RedisStreamSink("redis://localhost", retry=Retry(attempts=3)))
UnisightsOptions(handler=SQLiteSink("events.sqlite3"))
UnisightsOptions(handler=lambda payload, request: None)


def flask_handler(payload: UnisightsPayload, request: flask.Request) -> None:
    """Takes Flask's request."""


async def fastapi_handler(payload: UnisightsPayload, request: fastapi.Request) -> None:
    """Takes FastAPI's request."""


def make_options(path: str) -> UnisightsOptions:
    """The class of the request need not be named."""
    return UnisightsOptions(path=path)


bare = UnisightsOptions()
named: UnisightsOptions[flask.Request] = UnisightsOptions(handler=flask_handler)
unisights_flask(named)
unisights_flask(UnisightsOptions(handler=flask_handler))
unisights_fastapi(UnisightsOptions(handler=fastapi_handler))
unisights_flask(UnisightsOptions(handler=async_handler, delivery=Background()))
unisights_fastapi(UnisightsOptions(handler=async_handler, delivery=Background()))
unisights_asgi(UnisightsOptions(handler=async_handler))
for anything in (bare, make_options("/events"), UnisightsOptions(handler=Handler())):
    unisights_flask(anything)
    unisights_fastapi(anything)
    unisights_asgi(anything)
unisights_flask(UnisightsOptions(handler=sync_handler))
unisights_asgi(UnisightsOptions(handler=lambda payload, request: None))
