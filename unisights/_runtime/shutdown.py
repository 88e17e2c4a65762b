"""The end of a process: what has to be done while threads and event loops still work."""

import atexit
import concurrent.futures.thread  # noqa: F401  # registers its own hook first, see below
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


def before_exit(callback: Callable[[], Any]) -> None:
    """Run a callback when the interpreter ends, while thread pools and event loops still work.

    `atexit` is too late: by then the standard library has shut down its thread pools, which
    handlers use (a DNS look-up is enough). The hook for that runs in reverse order of
    registration, so a callback that is registered later runs earlier.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(callback)
    except RuntimeError:
        # The interpreter is ending already.
        callback()


def defer_signals(callback: Callable[[], Any], *, only_unhandled: bool = False) -> None:
    """Run a callback before the process gets SIGTERM or SIGINT.

    For servers that end the process without letting the interpreter end. The callback runs in a
    thread; the signal is sent again when it has returned. Further signals are ignored meanwhile,
    as supervisors send several. Does nothing where Python cannot handle signals: outside the main
    thread, and in subinterpreters.

    Args:
        callback: what has to be done before the end; it must end by itself, in bounded time.
        only_unhandled: defer only signals that nobody handles, which end the process at once.
    """
    if threading.current_thread() is threading.main_thread():
        _DeferredSignals(callback).install(only_unhandled=only_unhandled)


class _DeferredSignals:
    """Signal handlers that run a callback before those that were there."""

    def __init__(self, callback: Callable[[], Any]) -> None:
        self._callback = callback
        self._previous: dict[int, Any] = {}
        self._is_deferring = False
        self._is_done = False

    def install(self, *, only_unhandled: bool) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            previous = signal.getsignal(number)
            is_deferred = (
                previous is signal.SIG_DFL
                if only_unhandled
                else previous not in {signal.SIG_IGN, None}
            )
            if is_deferred:
                self._previous[number] = previous
                # A subinterpreter's main thread may not handle signals.
                with contextlib.suppress(ValueError):
                    signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._is_done:
            # Only the main thread can restore handlers, and it runs this.
            for deferred, previous in self._previous.items():
                signal.signal(deferred, previous)
            os.kill(os.getpid(), number)
        elif not self._is_deferring:
            self._is_deferring = True
            threading.Thread(target=self._finish, args=(number,), daemon=True).start()

    def _finish(self, number: int) -> None:
        try:
            self._callback()
        finally:
            self._is_done = True
            os.kill(os.getpid(), number)
