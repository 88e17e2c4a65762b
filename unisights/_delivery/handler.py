"""The user's handler, and its life: opened before its first call, closed after its last."""

import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from unisights._runtime.callables import call_for_future, is_async
from unisights._runtime.callers import Caller
from unisights._runtime.fork import reset_in_children
from unisights._runtime.log import log
from unisights._runtime.recent import Recent
from unisights.config import Handler
from unisights.types import UnisightsPayload

MakeRequest = Callable[[], Any]
"""Makes the framework's request, the handler's second argument."""

OPEN_SECONDS = 10.0
"""How long a payload, or the start of an app, waits for `open`, in seconds."""


class ManagedHandler:
    """Calls a handler; one with `open` and `close` is opened before and closed afterwards.

    Either method is optional, sync or async, and takes no arguments. They are called in each
    process that handles payloads. An async `open` runs on the loop on which the handler runs, and
    so does an async `close` that a server's lifespan asks for. At the end of the process a
    server's loop has stopped already: there, an async `close` runs on the process's own loop.

    If `open` raises, the payloads that wait for it have failed, and the next payload calls it
    again. If it does not end in time, they have failed, too, and the next payload waits for the
    same call.

    Args:
        handler: the user's, or None for none.
        before_open: is called before the handler is opened, if it has to be closed.

    Attributes:
        is_missing: whether there is no handler to call.
        has_failed_to_open: whether `open` has raised lately, and not succeeded since.
    """

    def __init__(self, handler: Handler | None, before_open: Callable[[], None]) -> None:
        self._handler = handler
        self.is_missing = handler is None
        self._before_open = before_open
        self.has_failed_to_open = Recent()
        self._is_async = handler is not None and is_async(handler)
        self._open = _method(handler, "open")
        self._close = _method(handler, "close")
        self._is_managed = self._open is not None or self._close is not None
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """In a forked child, the handler has not been opened."""
        self._lock = threading.Lock()
        self._opening: Future[None] | None = None

    def call(
        self, payload: UnisightsPayload, make_request: MakeRequest, caller: Caller
    ) -> Coroutine[Any, Any, None]:
        """Call the handler, if there is one."""
        if self._is_managed:
            return self._open_and_call(payload, make_request, caller)
        if self._handler is None:
            return _do_nothing()
        # No coroutine of this method's own: each request would pay for it.
        return caller.call(self._handler, payload, make_request(), known_async=self._is_async)

    async def _open_and_call(
        self, payload: UnisightsPayload, make_request: MakeRequest, caller: Caller
    ) -> None:
        if not _has_succeeded(self._opening):
            await self.open(caller)
        assert self._handler is not None  # noqa: S101  # narrows a type
        await caller.call(self._handler, payload, make_request(), known_async=self._is_async)

    async def open(self, caller: Caller) -> None:
        """Open the handler, once; whoever comes meanwhile waits for that, for a limited time.

        Raises:
            Exception: what `open` raises.
            TimeoutError: it has not ended in time.
        """
        opening = self._begin_opening(caller)
        try:
            await caller.wait_for(opening, OPEN_SECONDS)
        except Exception:
            self.has_failed_to_open.note()
            if opening.done():
                raise
            message = f"the handler's open has not ended within {OPEN_SECONDS:.0f} s"
            raise TimeoutError(message) from None
        self.has_failed_to_open.clear()

    @property
    def has_to_close(self) -> bool:
        """Whether it is open, and has a `close`."""
        return self._opening is not None and self._close is not None

    async def close(self, caller: Caller, seconds: float) -> None:
        """Close the handler if it is open, in so many seconds; what it raises is logged."""
        if not self._was_opened() or self._close is None:
            return
        try:
            await caller.call_within(seconds, self._close)
        except Exception as error:  # noqa: BLE001  # users' functions raise anything
            # The time limit's own exception says nothing.
            reason = error if str(error) else TimeoutError("it did not end in time")
            failed = reason if isinstance(error, TimeoutError) else error
            log(logging.ERROR, "handler_close_failed", "the handler's close failed", error=failed)

    def _begin_opening(self, caller: Caller) -> Future[None]:
        """Return the call of `open` that is under way or has succeeded; if there is none, begin."""
        with self._lock:
            opening = self._opening
            if opening is None or (opening.done() and not _has_succeeded(opening)):
                if self._close is not None:
                    self._before_open()
                open_handler = self._open
                opening = caller.start(open_handler) if open_handler else call_for_future(_opened)
                self._opening = opening
            return opening

    def _was_opened(self) -> bool:
        with self._lock:
            opening, self._opening = self._opening, None
        return opening is not None


async def _do_nothing() -> None:
    """What calling no handler comes to."""


def _opened() -> None:
    """The `open` of a handler that has none."""


def _has_succeeded(opening: Future[None] | None) -> bool:
    if opening is None or not opening.done() or opening.cancelled():
        return False
    return opening.exception() is None


def _method(handler: Handler | None, name: str) -> Any:
    method = getattr(handler, name, None)
    return method if callable(method) else None
