"""Discarding: the rest of an unwanted body is read and dropped before the response.

A client that finds the connection closed while it sends may never read its response.
"""

import asyncio
import contextlib
import time

from unisights._http.body import AsyncBody, SyncBody

DISCARD_BYTES = 512 * 1024 * 1024
"""The greatest number of bytes that are discarded of a body."""

DISCARD_SECONDS = 10.0
"""The greatest time for which a body is discarded, in seconds."""


def discard_rest(body: SyncBody) -> None:
    """Discard the rest of a body in this thread."""
    deadline = time.monotonic() + DISCARD_SECONDS
    size = 0
    while not body.has_ended and size < DISCARD_BYTES and time.monotonic() < deadline:
        size += len(body.read() or b"")


async def discard_rest_async(body: AsyncBody) -> None:
    """Discard the rest of a body on the event loop."""
    # Reads that do not wait leave the time limit no chance: hence a deadline, too.
    deadline = time.monotonic() + DISCARD_SECONDS
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while not body.has_ended and size < DISCARD_BYTES and time.monotonic() < deadline:
                size += len(await body.read() or b"")
