"""The user's handler, and its life: opened before its first call, closed after its last."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from unisights._delivery.naming import name_function
from unisights._runtime.callables import call_for_future, is_async
from unisights._runtime.callers import Caller
from unisights._runtime.event_loop import running_loop
from unisights._runtime.fork import reset_in_children
from unisights._runtime.log import log
from unisights._runtime.recent import Recent
from unisights.config import Handler
from unisights.errors import PermanentError
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
    again. If it does not end in time, they have failed, too, and so do the next ones, at once,
    until it ends. `close` is called if `open` has succeeded.

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
        self._opening: _Opening | None = None

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
        if self._opening is None or not self._opening.has_succeeded:
            await self._open_for_payload(caller)
        assert self._handler is not None  # noqa: S101  # narrows a type
        await caller.call(self._handler, payload, make_request(), known_async=self._is_async)

    async def _open_for_payload(self, caller: Caller) -> None:
        try:
            await self.open(caller)
        except PermanentError as error:
            # It says nothing about the payload.
            raise RuntimeError(f"the handler cannot be opened: {error}") from error

    async def open(self, caller: Caller) -> None:
        """Open the handler, once; later callers wait for the same call, for a limited time.

        Raises:
            Exception: what `open` raises.
            TimeoutError: it has not ended in time.
        """
        opening, is_first = self._begin_opening(caller)
        try:
            await caller.wait_for(opening.ended, opening.seconds_left)
        except Exception:
            self.has_failed_to_open.note()
            if opening.ended.done():
                raise
            message = f"the handler's open has not ended within {OPEN_SECONDS:.0f} s"
            raise TimeoutError(message) from None
        except asyncio.CancelledError:
            if is_first or not opening.ended.cancelled():
                raise
            # The event loop that began the call has ended; the present one has not.
            await self.open(caller)
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
            message = "the close of the handler %s failed"
            name = name_function(self._handler)
            log(logging.ERROR, "handler_close_failed", message, name, error=failed)

    def _begin_opening(self, caller: Caller) -> "tuple[_Opening, bool]":
        """Return the call of `open` that runs or has succeeded, and whether it is a new one."""
        with self._lock:
            opening = self._opening
            begins = opening is None or opening.has_failed
            if opening is None or begins:
                if self._close is not None:
                    self._before_open()
                self._opening = opening = _Opening(self._open, caller)
            return opening, begins

    def _was_opened(self) -> bool:
        with self._lock:
            opening, self._opening = self._opening, None
        return opening is not None and opening.has_succeeded


class _Opening:
    """A call of a handler's `open`.

    Args:
        open_handler: the handler's `open`, if it has one.
        caller: begins the call.

    Attributes:
        ended: is done once the call has ended, and has its error.
    """

    def __init__(self, open_handler: Callable[[], Any] | None, caller: Caller) -> None:
        self._deadline = time.monotonic() + OPEN_SECONDS
        self._loop = running_loop()
        self.ended: Future[None]
        if open_handler is None:
            self.ended = call_for_future(lambda: None)
        else:
            self.ended = caller.start(open_handler)

    @property
    def seconds_left(self) -> float:
        """How long payloads still wait for its end, in seconds."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def has_succeeded(self) -> bool:
        """Whether it has ended, and raised nothing."""
        if not self.ended.done() or self.ended.cancelled():
            return False
        return self.ended.exception() is None

    @property
    def has_failed(self) -> bool:
        """Whether it will not succeed any more."""
        if self.ended.done():
            return not self.has_succeeded
        # An event loop that has stopped, such as that of a test, does not go on.
        return self._loop is not None and not self._loop.is_running()


async def _do_nothing() -> None:
    """Do nothing: there is no handler."""


def _method(handler: Handler | None, name: str) -> Any:
    method = getattr(handler, name, None)
    return method if callable(method) else None
