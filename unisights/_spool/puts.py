"""What requests hand to the spool's writer, and wait for."""

import asyncio
import enum
import threading
from typing import Generic, TypeVar

from unisights._spool.rejected import RejectedRow
from unisights._spool.store import NewRow
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
        payload, info: what the handler gets of a payload.
        outcome: what became of it; or what went wrong.
    """

    __slots__ = ("info", "outcome", "payload", "row")

    def __init__(
        self,
        row: RowType,
        payload: UnisightsPayload | None = None,
        info: RequestInfo | None = None,
    ) -> None:
        self.row = row
        self.payload = payload
        self.info = info
        self.outcome: Stored | StoreError = Stored.CLOSED


class SyncPut(Put[RowType]):
    """One whose request waits in a thread."""

    __slots__ = ("_done",)

    def __init__(
        self,
        row: RowType,
        payload: UnisightsPayload | None = None,
        info: RequestInfo | None = None,
    ) -> None:
        super().__init__(row, payload, info)
        self._done = threading.Event()

    def wait(self) -> Stored | StoreError:
        """Wait until it is decided what becomes of it."""
        self._done.wait()
        return self.outcome

    def wake(self) -> None:
        """End the wait."""
        self._done.set()


class AsyncPut(Put[RowType]):
    """One whose request waits on an event loop."""

    __slots__ = ("_future", "loop")

    def __init__(
        self,
        row: RowType,
        payload: UnisightsPayload | None = None,
        info: RequestInfo | None = None,
    ) -> None:
        super().__init__(row, payload, info)
        self.loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self.loop.create_future()

    async def wait(self) -> Stored | StoreError:
        """Wait until it is decided what becomes of it."""
        await self._future
        return self.outcome

    def wake(self) -> None:
        """End the wait; on its loop."""
        if not self._future.done():  # Else, its request was cancelled.
            self._future.set_result(None)


NewPut = AsyncPut[NewRow] | SyncPut[NewRow]
RejectedPut = AsyncPut[RejectedRow] | SyncPut[RejectedRow]
