"""What the deliveries share that respond first and call the handler afterwards."""

import asyncio

from unisights._delivery.base import Delivery
from unisights._runtime.calls import is_async
from unisights._runtime.event_loop import shared_loop
from unisights.rejection import Rejection


class DetachedDelivery(Delivery):
    """Responds first, and calls the handler from a thread of its own."""

    async def keep_rejection(self, rejection: Rejection) -> None:
        """Hand it to `on_reject` where the handler runs: on the process's loop, if it is async."""
        if self._on_reject is not None and is_async(self._on_reject):
            await shared_loop().run_async(super().keep_rejection(rejection))
        else:
            await super().keep_rejection(rejection)

    async def open_handler(self) -> None:
        """Open it where it is called: from a thread, and if it is async on the process's loop."""
        await asyncio.to_thread(self.handler.open_sync)

    async def close_handler(self) -> None:
        """Close it there."""
        await asyncio.to_thread(self.handler.close_sync)
