"""What hostile bodies cost the endpoint, beside an ordinary one of the same length."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from benchmarks import bodies, hostile
from benchmarks.timing import Case, Effort, Loop, time_loops
from unisights.asgi import unisights_asgi

KIB = 1024
SIZES = (64 * KIB, 1024 * KIB)

ACCEPTED = "accepted, mixed events"
"""The ordinary body."""

_SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/events",
    "headers": [(b"content-type", b"application/json")],
}


def measure_refusing(effort: Effort, sizes: Iterable[int] = SIZES) -> list[Case]:
    """Bodies that cost the most, from the request to the response, without a server."""
    with contextlib.closing(Endpoint()) as endpoint, unlogged():
        return [
            Case(f"{size // KIB:,} KiB", "s", ACCEPTED, time_loops(endpoint.loops(size), effort))
            for size in sizes
        ]


class Endpoint:
    """The ASGI endpoint on an event loop of its own, called without a server."""

    def __init__(self) -> None:
        self._app = unisights_asgi()
        self._event_loop = asyncio.new_event_loop()

    def close(self) -> None:
        """End the event loop and its threads, in which long bodies are decoded."""
        self._event_loop.run_until_complete(self._event_loop.shutdown_default_executor())
        self._event_loop.close()

    def loops(self, size: int) -> dict[str, Loop]:
        """For each body of a size, by its name: a function that posts it so many times."""
        valid = {ACCEPTED: bodies.of_size} | hostile.hard_to_accept()
        return {
            name: partial(self.post, make(size), status)
            for makers, status in ((valid, 200), (hostile.attacks(), None))
            for name, make in makers.items()
        }

    def post(self, body: bytes, status: int | None, count: int = 1) -> None:
        """Post a body so many times; without an expected status, it must be refused."""
        self._event_loop.run_until_complete(self._post(body, status, count))

    async def _post(self, body: bytes, status: int | None, count: int) -> None:
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        for _ in itertools.repeat(None, count):
            await self._app(dict(_SCOPE), receive, send)
        (found,) = set(statuses)
        if found != status and (status or not 400 <= found < 500):
            raise AssertionError(f"the endpoint responded {found} to {body[:200]!r}")


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Keep what the package logs about refused bodies out of the report."""
    logger = logging.getLogger("unisights")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False
