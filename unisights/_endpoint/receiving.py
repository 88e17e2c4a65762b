"""The rules by which a request's body is read. They are the same for every host.

They are generators that do no input or output: each yields how many bytes the host shall read
next, at most, and is sent the piece that the host has read. That is `b""` at the end of the body,
and None if the client has disconnected.
"""

import time
from collections.abc import Generator
from typing import NamedTuple, TypeVar

from unisights._http.body import CHUNK_SIZE, BodyBuffer, BodyTooLargeError
from unisights._http.responses import HTTPResponse
from unisights.collector import Collector
from unisights.request import RequestInfo

DRAIN_SIZE = 512 * 1024 * 1024
"""How much of a body is drained, in bytes, at most."""

DRAIN_SECONDS = 10.0
"""For how long a body is drained, in seconds, at most."""

Result = TypeVar("Result")

Reading = Generator[int, bytes | None, Result]
"""Yields sizes, is sent pieces, and returns a result."""


class EarlyResponse(NamedTuple):
    """A response to a request whose whole body was not read.

    Attributes:
        response: the response.
        needs_drain: whether the client may be sending the rest of the body.
    """

    response: HTTPResponse
    needs_drain: bool


def receive_body(
    collector: Collector, info: RequestInfo, *, length: int | None, client_waits: bool
) -> Reading[BodyBuffer | EarlyResponse]:
    """Screen a request and read its body.

    Args:
        collector: decides about the request.
        info: the request.
        length: the length of the body, in bytes, for hosts that do not tell where it ends; None
            for the others.
        client_waits: whether the client sends no body before the host begins to read it.

    Returns:
        The whole body, or the response to a request that is answered without it.
    """
    response = collector.screen(info)
    if response is not None:
        return EarlyResponse(response, needs_drain=not client_waits)
    buffer = collector.buffer(info)
    while wanted := CHUNK_SIZE if length is None else min(CHUNK_SIZE, length - buffer.size):
        piece = yield wanted
        if piece is None or (not piece and length is not None):
            return EarlyResponse(collector.refuse_cut_body(info), needs_drain=False)
        if not piece:
            break
        try:
            buffer.add(piece)
        except BodyTooLargeError:
            return EarlyResponse(collector.refuse_too_large(info), needs_drain=True)
    return buffer


def drain_body(length: int | None) -> Reading[None]:
    """Read and drop the rest of a body.

    A client that finds the connection closed while it sends may never read its response.

    Args:
        length: as for `receive_body`.
    """
    deadline = time.monotonic() + DRAIN_SECONDS
    left = DRAIN_SIZE if length is None else min(DRAIN_SIZE, length)
    while left > 0 and time.monotonic() < deadline:
        piece = yield min(CHUNK_SIZE, left)
        if not piece:
            break
        left -= len(piece)
