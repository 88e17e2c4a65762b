"""Objects that exist once for each event loop, such as connections: loops cannot share them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from unisights._runtime.fork import leak, reset_in_children

Bound = TypeVar("Bound")


class PerLoop(Generic[Bound]):
    """Holds one object for each event loop that asks for it, in this process.

    Args:
        make: makes an object; called on the object's loop.
        close: closes an object; awaited on the object's loop.
    """

    def __init__(
        self, make: Callable[[], Bound], close: Callable[[Bound], Awaitable[None]]
    ) -> None:
        self._make = make
        self._close = close
        self._bound: dict[asyncio.AbstractEventLoop, Bound] = {}
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Start without any object, in a forked child: those of the parent stay the parent's."""
        leak(self._bound)
        self._bound = {}

    def get(self) -> Bound:
        """The object of the running loop; it is made if there is none."""
        loop = asyncio.get_running_loop()
        if (bound := self._bound.get(loop)) is None:
            for other in [known for known in list(self._bound) if known.is_closed()]:
                self._bound.pop(other, None)
            bound = self._bound[loop] = self._make()
        return bound

    async def close(self) -> None:
        """Close all objects, each on its own loop.

        An object whose loop runs no more cannot be closed on it, and is dropped.
        """
        here = asyncio.get_running_loop()
        all_bound, self._bound = self._bound, {}
        for loop, bound in all_bound.items():
            if loop is here:
                await self._close(bound)
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_await(self._close(bound)), loop)
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wrap_future(closing)


async def _await(awaitable: Awaitable[None]) -> None:
    """Make a coroutine of an awaitable, as loops run coroutines only."""
    await awaitable
