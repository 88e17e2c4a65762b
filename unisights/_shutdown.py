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


def hold_signals(callback: Callable[[], Any]) -> None:
    """Run a callback before the process hears of SIGTERM or SIGINT.

    For servers that end the process without letting the interpreter end: the signal is held
    until the callback has returned, in a thread, and is then sent again. A second signal is not
    held. Does nothing outside the main thread, where signals cannot be handled.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        previous = signal.getsignal(number)
        if previous in {signal.SIG_IGN, None}:
            continue
        signal.signal(number, _Held(previous, callback))


class _Held:
    """A signal handler that puts a callback before the one that was there."""

    def __init__(self, previous: Any, callback: Callable[[], Any]) -> None:
        self._previous = previous
        self._callback = callback

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, self._previous)
        threading.Thread(target=self._finish, args=(number,), daemon=True).start()

    def _finish(self, number: int) -> None:
        try:
            self._callback()
        finally:
            os.kill(os.getpid(), number)
