"""What is bound to an event loop: made on the loop of first use, in each process."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from unisights._runtime.fork import abandon, forget_in_children

Bound = TypeVar("Bound")


class PerLoop(Generic[Bound]):
    """One object for each event loop that asks for it.

    Args:
        make: makes one, on its loop.
        close: closes one, on its loop.
    """

    def __init__(
        self, make: Callable[[], Bound], close: Callable[[Bound], Awaitable[None]]
    ) -> None:
        self._make = make
        self._close = close
        self._bound: dict[asyncio.AbstractEventLoop, Bound] = {}
        forget_in_children(self)

    def forget(self) -> None:
        """Begin anew, in a forked child."""
        abandon(self._bound)
        self._bound = {}

    def get(self) -> Bound:
        """The running loop's own."""
        loop = asyncio.get_running_loop()
        if (bound := self._bound.get(loop)) is None:
            for other in [known for known in list(self._bound) if known.is_closed()]:
                self._bound.pop(other, None)
            bound = self._bound[loop] = self._make()
        return bound

    async def close(self) -> None:
        """Close all, each on its loop; those whose loop does not run any more are dropped."""
        here = asyncio.get_running_loop()
        bound, self._bound = self._bound, {}
        for loop, one in bound.items():
            if loop is here:
                await self._close(one)
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_await(self._close(one)), loop)
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wrap_future(closing)


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable
