"""The rules by which a request's body is read. They are the same for every host.

They are generators that do no input or output: wherever one yields, the host reads the next piece
of the body and sends it in.
"""

import time
from collections.abc import Generator
from typing import NamedTuple, TypeVar

from unisights._http.body import Body, BodyBuffer, BodyTooLargeError
from unisights._http.responses import HTTPResponse
from unisights.collector import Collector
from unisights.request import RequestInfo

DRAIN_SIZE = 512 * 1024 * 1024
"""How much of a body is drained, in bytes, at most."""

DRAIN_SECONDS = 10.0
"""For how long a body is drained, in seconds, at most."""

Result = TypeVar("Result")

Reading = Generator[None, bytes | None, Result]
"""Yields for each piece of a body, is sent what `read` of the body returns, returns a result."""


class EarlyResponse(NamedTuple):
    """A response to a request whose whole body was not read.

    Attributes:
        response: the response.
        needs_drain: whether the client may be sending the rest of the body.
    """

    response: HTTPResponse
    needs_drain: bool


def receive_body(
    collector: Collector, info: RequestInfo, body: Body, *, client_waits: bool = False
) -> Reading[BodyBuffer | EarlyResponse]:
    """Screen a request and read its body.

    Args:
        collector: decides about the request.
        info: the request.
        body: its body, which the host reads.
        client_waits: whether the client sends no body before the host begins to read it.

    Returns:
        The whole body, or the response to a request that is answered without it.
    """
    response = collector.screen(info)
    if response is not None:
        return EarlyResponse(response, needs_drain=not client_waits)
    buffer = collector.buffer(info)
    while not body.has_ended:
        piece = yield
        if piece is None:
            return EarlyResponse(collector.refuse_cut_body(info), needs_drain=False)
        try:
            buffer.add(piece)
        except BodyTooLargeError:
            return EarlyResponse(collector.refuse_too_large(info), needs_drain=True)
    return buffer


def drain_body(body: Body) -> Reading[None]:
    """Read and drop the rest of a body.

    A client that finds the connection closed while it sends may never read its response.
    """
    deadline = time.monotonic() + DRAIN_SECONDS
    size = 0
    while not body.has_ended and size < DRAIN_SIZE and time.monotonic() < deadline:
        piece = yield
        if piece is None:
            break
        size += len(piece)
