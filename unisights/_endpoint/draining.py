"""Draining: the rest of a body that is not wanted is read and dropped before the response.

A client that finds the connection closed while it sends may never read its response.
"""

import asyncio
import contextlib
import time

from unisights._http.body import AsyncBody, SyncBody

DRAIN_SIZE = 512 * 1024 * 1024
"""How much of a body is drained, in bytes, at most."""

DRAIN_SECONDS = 10.0
"""For how long a body is drained, in seconds, at most."""


def drain(body: SyncBody) -> None:
    """Drain a body in this thread."""
    deadline = time.monotonic() + DRAIN_SECONDS
    size = 0
    while not body.has_ended and size < DRAIN_SIZE and time.monotonic() < deadline:
        size += len(body.read() or b"")


async def drain_async(body: AsyncBody) -> None:
    """Drain a body on the event loop."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while not body.has_ended and size < DRAIN_SIZE:
                size += len(await body.read() or b"")
