"""The user's handler, and its life: opened before its first call, closed after its last."""

import asyncio
import inspect
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from unisights._runtime.calls import call_aside, call_async, call_sync, is_async
from unisights._runtime.log import log
from unisights._runtime.shutdown import before_exit
from unisights.config import Handler
from unisights.types import UnisightsPayload

MakeRequest = Callable[[], Any]
"""Makes the framework's request, the handler's second argument."""

CLOSE_SECONDS = 10.0
"""How long `close` may take, in seconds."""


class ManagedHandler:
    """Calls a handler; one with `open` and `close` is opened before and closed afterwards.

    Either method is optional, sync or async, and takes no arguments. They are called in each
    process that handles payloads, where the handler is called too: async ones on the same event
    loop. If `open` raises, the payload has failed, and it is called again for the next one.

    Args:
        handler: the user's, or None for none.
    """

    def __init__(self, handler: Handler | None) -> None:
        self._handler = handler
        self.is_missing = handler is None
        """Whether there is none: payloads are validated and go nowhere."""
        self._is_async = handler is not None and is_async(handler)
        self._open = _method(handler, "open")
        self._close = _method(handler, "close")
        self._is_managed = self._open is not None or self._close is not None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._opening: Future[None] | None = None
        self._is_hooked = False

    async def call_async(self, payload: UnisightsPayload, make_request: MakeRequest) -> None:
        """Call the handler, if there is one, from an event loop."""
        if self._handler is not None:
            if self._is_managed:
                await self.open_async()
            if self._is_async:
                # What `call_async` does, without looking each time.
                result = self._handler(payload, make_request())
                if inspect.isawaitable(result):
                    await result
            else:
                await call_async(self._handler, payload, make_request())

    def call_sync(self, payload: UnisightsPayload, make_request: MakeRequest) -> None:
        """Call the handler, if there is one, from a thread."""
        if self._handler is not None:
            if self._is_managed:
                self.open_sync()
            call_sync(self._handler, payload, make_request())

    def close_at_exit(self) -> None:
        """Close the handler when the process ends, unless that has been done by then.

        What hooks itself up later is run earlier: to be called before a queue is filled that has
        to be worked off first.
        """
        if self._is_managed and not self._is_ours():
            self._begin_anew()
        if self._close is not None and not self._is_hooked:
            self._is_hooked = True
            before_exit(self.close_sync)

    async def open_async(self) -> None:
        """Open the handler, once, on the event loop that it is called on."""
        opening, is_first = self._claim()
        if not is_first:
            if not opening.done():
                # A caller that is cancelled must not cancel it for the others.
                await asyncio.shield(asyncio.wrap_future(opening))
            opening.result()
            return
        try:
            if self._open is not None:
                # A sync one may hang, and must not hold up the end of the process.
                result = self._open() if is_async(self._open) else await call_aside(self._open)
                if inspect.isawaitable(result):
                    await result
        except BaseException as error:
            self._give_up(opening, error)
            raise
        opening.set_result(None)

    def open_sync(self) -> None:
        """Open the handler, once, from a thread."""
        opening, is_first = self._claim()
        if not is_first:
            opening.result()
            return
        try:
            if self._open is not None:
                call_sync(self._open)
        except BaseException as error:
            self._give_up(opening, error)
            raise
        opening.set_result(None)

    async def close_async(self) -> None:
        """Close the handler if it is open, on an event loop; what it raises is logged."""
        if self._close is not None and not is_async(self._close):
            await asyncio.to_thread(self.close_sync)
        elif self._was_opened() and self._close is not None:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await call_async(self._close)
            except Exception as error:  # noqa: BLE001
                _log_close(error)

    def close_sync(self) -> None:
        """Close the handler if it is open, from a thread; what it raises is logged."""
        if self._was_opened() and self._close is not None:
            # It may hang, or the event loop that it needs may be blocked: the end must not.
            closing = threading.Thread(target=self._close_safely, daemon=True)
            try:
                closing.start()
            except RuntimeError:
                self._close_safely()
            else:
                closing.join(CLOSE_SECONDS + 1)
                if closing.is_alive():
                    _log_close(TimeoutError("it did not end in time"))

    def _close_safely(self) -> None:
        try:
            call_sync(_within(CLOSE_SECONDS, self._close))
        except Exception as error:  # noqa: BLE001
            _log_close(error)

    def _is_ours(self) -> bool:
        """Whether what is known is of this process; a forked child has opened nothing yet."""
        return self._owner == os.getpid()

    def _claim(self) -> tuple[Future[None], bool]:
        """The opening under way or done, and whether it is the caller's to do."""
        self.close_at_exit()
        with self._lock:
            is_first = self._opening is None
            if self._opening is None:
                self._opening = Future()
            return self._opening, is_first

    def _give_up(self, opening: Future[None], error: BaseException) -> None:
        with self._lock:
            if self._opening is opening:
                self._opening = None
        opening.set_exception(error)

    def _was_opened(self) -> bool:
        if not self._is_ours():
            return False
        with self._lock:
            opening, self._opening = self._opening, None
        return opening is not None


def _log_close(error: Exception) -> None:
    log(logging.ERROR, "handler_close_failed", "the handler's close failed", error=error)


def _method(handler: Handler | None, name: str) -> Any:
    method = getattr(handler, name, None)
    return method if callable(method) else None


def _within(seconds: float, function: Any) -> Any:
    """A function that, if it turns out to be async, may take at most so long."""

    def call() -> Any:
        result = function()
        return asyncio.wait_for(result, seconds) if asyncio.iscoroutine(result) else result

    return call
