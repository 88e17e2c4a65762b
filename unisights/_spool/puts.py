"""Puts: what requests pass to the spool's writer, and wait for."""

import enum
from typing import Generic, TypeVar

from unisights._runtime.latches import Latch
from unisights._spool.rejected import RejectedRow
from unisights._spool.rows import NewRow
from unisights.errors import StoreError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload


class Stored(enum.Enum):
    """What became of a put."""

    STORED = enum.auto()
    DUPLICATE = enum.auto()
    FULL = enum.auto()
    CLOSED = enum.auto()


RowType = TypeVar("RowType", bound=NewRow | RejectedRow)


class Put(Generic[RowType]):
    """A payload, or a rejected record, on its way into the spool.

    Attributes:
        row: what is stored.
        latch: what its request waits for; it is opened once it is decided what became of the put.
        payload, info: what the handler gets of a payload.
        stored: what became of it, or what went wrong.
    """

    __slots__ = ("info", "latch", "payload", "row", "stored")

    def __init__(
        self,
        row: RowType,
        latch: Latch,
        payload: UnisightsPayload | None = None,
        info: RequestInfo | None = None,
    ) -> None:
        self.row = row
        self.latch = latch
        self.payload = payload
        self.info = info
        self.stored: Stored | StoreError = Stored.CLOSED


NewPut = Put[NewRow]
RejectedPut = Put[RejectedRow]
