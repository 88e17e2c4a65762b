"""`unisights serve`: an endpoint of its own, on uvicorn, that stores to a sink."""

import asyncio
import signal
import socket
import time
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from unisights.asgi import unisights_asgi
from unisights.config import UnisightsOptions
from unisights.errors import UnisightsError
from unisights.sinks._sink import Sink
from unisights.types import UnisightsPayload

DRAIN_SECONDS = 10
"""How long requests under way may take to end once the server was told to stop."""


class ServeError(UnisightsError):
    """The server cannot start; the message says why."""


@dataclass
class CountingHandler:
    """Stores payloads to a sink, and counts what was stored."""

    sink: Sink
    payloads: int = 0
    events: int = 0

    async def __call__(self, payload: UnisightsPayload, request: Any) -> None:
        """Store a payload."""
        await self.sink(payload, request)
        self.payloads += 1
        self.events += len(payload.data.events)

    async def open(self) -> None:
        """Open the sink."""
        await self.sink.open()

    async def close(self) -> None:
        """Close the sink."""
        await self.sink.close()


def serve(options: UnisightsOptions, sink: Sink, *, host: str, port: int) -> None:
    """Receive events until SIGINT or SIGTERM; then end the requests under way and close the sink.

    Args:
        options: how events are received; the handler is set here.
        sink: where the events are stored.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.

    Raises:
        ServeError: uvicorn is missing, or the server cannot listen on the address.
        SinkError: the sink cannot be used.
    """
    try:
        import uvicorn  # noqa: PLC0415  # an extra, and only this command needs it
    except ImportError as error:
        raise ServeError("`serve` needs uvicorn: pip install 'unisights[serve]'") from error

    # A sink that cannot be used is an error now, not at the first event. The server runs on another
    # event loop, which connects by itself.
    asyncio.run(_check(sink))
    handler = CountingHandler(sink)
    app = unisights_asgi(replace(options, handler=handler))
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    _print_banner(options, sink, host, listener.getsockname()[1])
    # On these signals uvicorn drains, and then calls the signal handlers that were there before:
    # these do nothing, so that the closing line is printed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])
    stored = f"{_count(handler.payloads, 'payload')} with {_count(handler.events, 'event')}"
    print(f"\nStopped. {stored} went to {sink.location}.")


async def _check(sink: Sink) -> None:
    try:
        await sink.open()
    finally:
        await sink.close()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ServeError(f"cannot listen on {host} port {port}: {reason}; try --port") from error


def _print_banner(options: UnisightsOptions, sink: Sink, host: str, port: int) -> None:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}{options.path}"
    print(
        f"Receiving events at  {url}\n"
        f"Storing them in      {sink.location}\n"
        f"Origins              {', '.join(options.allow_origins)}\n\n"
        f"Send one:   curl -i {url} -H 'Content-Type: application/json' -d '{_example_body()}'\n"
        f"Look:       {sink.inspect_command}\n"
        f"Stop:       Ctrl-C",
        flush=True,
    )


def _example_body() -> str:
    """A payload of one event that happens now, as JSON."""
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
    return msgspec.json.encode(body).decode()
