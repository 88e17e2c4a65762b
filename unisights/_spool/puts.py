"""Puts: payloads and rejections that requests pass to the spool's writer, and wait for."""

import enum
from collections.abc import Iterable
from typing import Generic, TypeVar

from unisights._runtime.latches import Latch, open_all
from unisights._spool.rejections import RejectionRow
from unisights._spool.rows import NewRow
from unisights.errors import StoreError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload


class PutResult(enum.Enum):
    """The result of a put."""

    STORED = enum.auto()
    """It is in the spool."""

    DUPLICATE = enum.auto()
    """It is not stored, as the same body was accepted within the duplicate window."""

    FULL = enum.auto()
    """It is not stored, as the spool has no room for it."""

    CLOSED = enum.auto()
    """It is not stored, as the process ends."""


RowType = TypeVar("RowType", bound=NewRow | RejectionRow)


class Put(Generic[RowType]):
    """A payload, or a rejection, on its way into the spool.

    Attributes:
        row: the row to be stored.
        latch: is opened for the waiting request once there is a result.
        payload, info: the handler's arguments; None for a rejection.
        result: the result, or the error for which it was not stored; None until `settle`.
    """

    __slots__ = ("info", "latch", "payload", "result", "row")

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
        self.result: PutResult | StoreError | None = None


NewPut = Put[NewRow]
RejectionPut = Put[RejectionRow]


def settle(results: Iterable[tuple[NewPut | RejectionPut, PutResult | StoreError]]) -> None:
    """Set the results of puts, and wake the requests that wait for them."""
    latches = []
    for put, result in results:
        put.result = result
        latches.append(put.latch)
    open_all(latches)
