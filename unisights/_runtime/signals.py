"""The signals that end a process: the package's only handler of signals.

A handler of this module takes the place of a signal's present one. It has a thread do what has to
be done before the process ends, and then sends the signal again, to the previous handler. Further
signals are ignored meanwhile, as supervisors send several.

Python lets only the main thread set handlers. Servers that serve requests in other threads leave
SIGTERM to the system, which ends the process at once. So the main thread is asked to set them.
"""

import _thread
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

from unisights._runtime.fork import reset_in_children

_STOPPING = (signal.SIGTERM, signal.SIGINT)
"""They mean that the process is to end, whoever handles them."""

_SIGNALS = (*_STOPPING, signal.SIGHUP, signal.SIGQUIT)
"""They end a process that does not handle them: SIGHUP when its terminal or its SSH session ends.

A process that handles the last two may mean anything by them, such as opening its log file anew.
"""


class Deferral:
    """Defers signals, in each process.

    Args:
        at_handled: what is done before a signal that has a handler, which need not end the process.
        at_unhandled: what is done before a signal that ends the process at once.
    """

    def __init__(self, at_handled: Callable[[], None], at_unhandled: Callable[[], None]) -> None:
        self._at_handled = at_handled
        self._at_unhandled = at_unhandled
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Begin anew: what the parent defers is its own. A child that has nothing ends at once."""
        for number in _SIGNALS:
            if isinstance(current := signal.getsignal(number), _Deferring):
                with contextlib.suppress(ValueError):  # as for `install`
                    signal.signal(number, current.previous)
        self._is_deferring = False
        self._is_done = False
        self._defers_handled = False

    def begin(self, *, handled: bool) -> None:
        """Defer signals from now on, or, outside the main thread, as soon as that runs.

        Does nothing where Python cannot handle signals, such as in subinterpreters.

        Args:
            handled: also SIGTERM and SIGINT if they have a handler.
        """
        self._is_done = False
        self._defers_handled |= handled
        if any(self._is_wanted(number) for number in _SIGNALS):
            _run_in_main_thread(self.install)

    def install(self) -> None:
        """Take the place of the present handlers; to be called in the main thread."""
        for number in _SIGNALS:
            if self._is_wanted(number):
                # A subinterpreter's main thread may not handle signals.
                with contextlib.suppress(ValueError):
                    signal.signal(number, _Deferring(self, signal.getsignal(number)))

    def _is_wanted(self, number: signal.Signals) -> bool:
        current = signal.getsignal(number)
        if current is signal.SIG_DFL:
            return not _is_handled_in_c(number)
        # What is ignored ends nothing; None is a handler that is not Python's.
        is_replaceable = number in _STOPPING and current not in {signal.SIG_IGN, None}
        return self._defers_handled and is_replaceable and not isinstance(current, _Deferring)

    def handle(self, number: int, previous: Any) -> None:
        """Handle a signal, whose previous handler is the server's or the system's."""
        if self._is_done:
            # Only the main thread can restore handlers, and it runs this.
            signal.signal(number, previous)
            for other in _SIGNALS:
                if isinstance(current := signal.getsignal(other), _Deferring):
                    signal.signal(other, current.previous)
            os.kill(os.getpid(), number)
        elif not self._is_deferring:
            self._is_deferring = True
            work = self._at_unhandled if previous is signal.SIG_DFL else self._at_handled
            try:
                # Not a `Thread`: the signal may have come while the main thread starts one, with
                # the lock that a second one would wait for.
                _thread.start_new_thread(self._work, (number, work))
            except RuntimeError:  # There are no more threads.
                self._work(number, work)

    def _work(self, number: int, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._is_done = True
            self._is_deferring = False
            _send_to_main_thread(number)


class _Deferring:
    """The handler of a signal, in the place of a previous one."""

    def __init__(self, deferral: Deferral, previous: Any) -> None:
        self._deferral = deferral
        self.previous = previous

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self._deferral.handle(number, self.previous)


def _send_to_main_thread(number: int) -> None:
    """Send a signal to this process, and wake its main thread, which alone runs handlers.

    A signal that is sent to the process may interrupt another thread, rarely. Then a main thread
    that waits, for a connection for example, goes on waiting.
    """
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, number)
    else:  # Windows ends the process at once.
        os.kill(os.getpid(), number)


def _is_handled_in_c(number: int) -> bool:
    """Whether a server such as uWSGI handles a signal in C, which Python does not know of."""
    ctypes = _import_ctypes()
    if ctypes is None:
        return False
    get = ctypes.pythonapi.PyOS_getsig
    get.restype = ctypes.c_void_p
    return get(number) is not None  # It is None for the null pointer, the default.


_scheduled: list[object] = []
"""What the main thread has been asked to call. Nothing else keeps it alive."""


def _run_in_main_thread(function: Callable[[], None]) -> None:
    """Have the main thread call a function as soon as it runs Python code; do not wait for that."""
    if threading.current_thread() is threading.main_thread():
        function()
        return
    ctypes = _import_ctypes()
    if ctypes is None:
        return
    api = ctypes.pythonapi
    for get in (api.PyInterpreterState_Get, api.PyInterpreterState_Main):
        get.restype = ctypes.c_void_p
    if api.PyInterpreterState_Get() != api.PyInterpreterState_Main():
        # The main thread would run it in another interpreter than the one that it is from.
        return

    def call(_argument: object) -> int:
        _scheduled.remove(pending)
        function()
        return 0

    pending = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(call)
    _scheduled.append(pending)
    if api.Py_AddPendingCall(pending, None) != 0:
        # Too many wait already. The next payload that opens something asks again.
        _scheduled.remove(pending)


def _import_ctypes() -> ModuleType | None:
    """Import what calls Python's C API; some Pythons and interpreters are made without it."""
    try:
        import ctypes  # noqa: PLC0415  # slow to import, and needed once in a process
    except ImportError:
        return None
    return ctypes
