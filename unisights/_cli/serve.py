"""`unisights serve`: a collector of its own, on uvicorn, that stores to a sink."""

import asyncio
import signal
import socket
import time
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from unisights._runtime.calls import call_async
from unisights.asgi import unisights_asgi
from unisights.config import UnisightsOptions
from unisights.errors import UnisightsError
from unisights.sinks._urls import Destination
from unisights.types import UnisightsPayload

DRAIN_SECONDS = 10
"""How long requests that are under way may take to end once the server was told to stop."""


class ServeError(UnisightsError):
    """The server cannot start; the message says why."""


@dataclass
class CountingHandler:
    """Stores payloads and counts what was stored, for the closing line."""

    sink: Any
    payloads: int = 0
    events: int = 0

    async def __call__(self, payload: UnisightsPayload, request: Any) -> None:
        """Store a payload."""
        await call_async(self.sink, payload, request)
        self.payloads += 1
        self.events += len(payload.data.events)

    async def open(self) -> None:
        """Open the sink."""
        await call_async(self.sink.open)

    async def close(self) -> None:
        """Close the sink."""
        await call_async(self.sink.close)


def serve(options: UnisightsOptions, *, host: str, port: int, to: Destination) -> None:
    """Receive events until SIGINT or SIGTERM, then end what is under way and close the sink.

    Args:
        options: how events are received; the handler is set here.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        to: where the events go.

    Raises:
        ServeError: uvicorn is missing, or the address is not to be had.
        SinkError: the sink cannot be used.
    """
    try:
        import uvicorn  # noqa: PLC0415  # an extra, and only this command needs it
    except ImportError as error:
        raise ServeError("`serve` needs uvicorn: pip install 'unisights[serve]'") from error

    handler = CountingHandler(to.sink)
    # Better now than at the first event. What this loop has opened is of no use to the server's.
    asyncio.run(_probe(handler))
    app = unisights_asgi(replace(options, handler=handler))
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    _print_banner(options, host, listener.getsockname()[1], to)
    # uvicorn drains on these signals, then hands them on to whoever had them before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])
    stored = f"{_count(handler.payloads, 'payload')} with {_count(handler.events, 'event')}"
    print(f"\nStopped. {stored} went to {to.shown}.")


async def _probe(handler: CountingHandler) -> None:
    try:
        await handler.open()
    finally:
        await handler.close()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ServeError(f"cannot listen on {host} port {port}: {reason}; try --port") from error


def _print_banner(options: UnisightsOptions, host: str, port: int, to: Destination) -> None:
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}{options.path}"
    now = time.time_ns() // 1_000_000
    page = "https://example.com/"
    body = {
        "data": {
            "asset_id": "demo",
            "session_id": "550e8400-e29b-41d4-a716-446655440000",
            "page_url": page,
            "events": [
                {"type": "page_view", "data": {"location": page, "title": "Home", "timestamp": now}}
            ],
        }
    }
    json = msgspec.json.encode(body).decode()
    print(
        f"Receiving events at  {url}\n"
        f"Storing them in      {to.shown}\n"
        f"Origins              {', '.join(options.allow_origins)}\n\n"
        f"Send one:   curl -i {url} -H 'Content-Type: application/json' -d '{json}'\n"
        f"Look:       {to.look}\n"
        f"Stop:       Ctrl-C",
        flush=True,
    )
