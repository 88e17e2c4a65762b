"""The end of a process: what has to be done before threads and signals are of no more use."""

import atexit
import concurrent.futures.thread  # noqa: F401  # registers its own hook first, see below
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


def before_exit(callback: Callable[[], Any]) -> None:
    """Run a callback when the interpreter ends, while thread pools and event loops still work.

    `atexit` is too late: by then the standard library has shut its thread pools, which handlers
    use (a DNS look-up is enough). The hook that it shuts them with runs in reverse order, so
    that what is registered after it runs before it.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(callback)
    except RuntimeError:
        # The interpreter is ending already.
        callback()


def hold_signals(callback: Callable[[], Any], *, only_unhandled: bool = False) -> None:
    """Run a callback before the process hears of SIGTERM or SIGINT.

    For servers that end the process without letting the interpreter end: the signal is held
    until the callback has returned, in a thread, and is then sent again. Further signals are
    swallowed meanwhile: supervisors send several, and the callback is bounded in time. Does
    nothing outside the main thread, where signals cannot be handled.

    Args:
        callback: what has to be done before the end; bounded in time.
        only_unhandled: hold only signals that nobody handles, which end the process at once.
    """
    if threading.current_thread() is threading.main_thread():
        _Hold(callback).install(only_unhandled=only_unhandled)


class _Hold:
    """Signal handlers that put a callback before those that were there."""

    def __init__(self, callback: Callable[[], Any]) -> None:
        self._callback = callback
        self._previous: dict[int, Any] = {}
        self._is_held = False
        self._is_done = False

    def install(self, *, only_unhandled: bool) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            previous = signal.getsignal(number)
            is_held = (
                previous is signal.SIG_DFL
                if only_unhandled
                else previous not in {signal.SIG_IGN, None}
            )
            if is_held:
                self._previous[number] = previous
                signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._is_done:
            # Handlers can be put back in the main thread only, where this runs.
            for held, previous in self._previous.items():
                signal.signal(held, previous)
            os.kill(os.getpid(), number)
        elif not self._is_held:
            self._is_held = True
            threading.Thread(target=self._finish, args=(number,), daemon=True).start()

    def _finish(self, number: int) -> None:
        try:
            self._callback()
        finally:
            self._is_done = True
            os.kill(os.getpid(), number)
