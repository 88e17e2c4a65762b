"""The end of a process: what has to be done while threads and event loops still work.

This is the package's only hook for the end of the process, and its only handler of signals. What is
open registers itself here and leaves when it is closed, so nothing that is closed is kept alive.
"""

import atexit
import concurrent.futures.thread  # noqa: F401  # registers its own hook first, see below
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import FrameType
from typing import Any, Protocol

from unisights._runtime.fork import reset_in_children

GAP_SECONDS = 1.0
"""What an app closes within so many seconds after the last was closed ends together with it."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Closable(Protocol):
    """What has to be drained and closed before the process ends."""

    @property
    def drain_timeout(self) -> float:
        """How long draining may take, in seconds, if nothing else in the process takes longer."""

    def drain_at_signal(self, seconds: float) -> None:
        """Drain for at most so long, before the server gets its signal."""

    def close(self, seconds: float) -> None:
        """Drain for at most so long, and accept nothing more."""

    def finish(self) -> None:
        """Do what has to be done after everything in the process was drained."""


class _AtExit:
    """What is closed when the interpreter ends: at the same time, under one deadline."""

    def __init__(self) -> None:
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        # What the parent has opened is the parent's to close.
        self._lock = threading.Lock()
        self._open: dict[int, Closable] = {}
        self._is_hooked = False
        self._ending: dict[int, Closable] = {}
        self._deadline = self._last_end = float("-inf")  # by `time.monotonic`

    def add(self, thing: Closable) -> None:
        with self._lock:
            self._open[id(thing)] = thing
            hooks, self._is_hooked = not self._is_hooked, True
        if hooks:
            _before_exit(self.close_all)

    def discard(self, thing: Closable) -> None:
        with self._lock:
            self._open.pop(id(thing), None)
            self._ending.pop(id(thing), None)

    @contextlib.contextmanager
    def time_left(self, thing: Closable) -> Iterator[float]:
        with self._lock:
            now = time.monotonic()
            if id(thing) not in self._ending or now > self._last_end + GAP_SECONDS:
                self._ending = {**self._open, id(thing): thing}
                self._deadline = now + _longest(self._ending.values())
            seconds = max(0.0, self._deadline - now)
        try:
            yield seconds
        finally:
            with self._lock:
                self._last_end = time.monotonic()
                self._ending.pop(id(thing), None)

    def close_all(self) -> None:
        with self._lock:
            things = list(self._open.values())
            self._open.clear()
            # What opens from now on is too late for this hook, and asks for another.
            self._is_hooked = False
        seconds = _longest(things)
        error = _run_together(partial(thing.close, seconds) for thing in things)
        error = _run_together(thing.finish for thing in things) or error
        if error is not None:
            raise error


class _AtSignal:
    """What is drained before the server gets a signal: at the same time, under one deadline."""

    def __init__(self) -> None:
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        self._lock = threading.Lock()
        self._drained: dict[int, dict[int, Closable]] = {number: {} for number in _SIGNALS}
        self._is_deferring = False
        self._is_done = False

    def add(self, thing: Closable, *, only_unhandled: bool) -> None:
        self._is_done = False
        for number in _SIGNALS:
            current = signal.getsignal(number)
            previous = current.previous if isinstance(current, _Deferring) else current
            is_deferred = (
                previous is signal.SIG_DFL
                if only_unhandled
                else previous not in {signal.SIG_IGN, None}
            )
            if not is_deferred:
                continue
            with self._lock:
                self._drained[number][id(thing)] = thing
            if current is previous:
                # A subinterpreter's main thread may not handle signals.
                with contextlib.suppress(ValueError):
                    signal.signal(number, _Deferring(previous))

    def discard(self, thing: Closable) -> None:
        with self._lock:
            for drained in self._drained.values():
                drained.pop(id(thing), None)

    def handle(self, number: int, previous: Any) -> None:
        if self._is_done:
            # Only the main thread can restore handlers, and it runs this.
            signal.signal(number, previous)
            for other in _SIGNALS:
                if isinstance(current := signal.getsignal(other), _Deferring):
                    signal.signal(other, current.previous)
            os.kill(os.getpid(), number)
        elif not self._is_deferring:
            self._is_deferring = True
            threading.Thread(target=self._drain, args=(number,), daemon=True).start()

    def _drain(self, number: int) -> None:
        with self._lock:
            things = list(self._drained[number].values())
        try:
            seconds = _longest(things)
            _run_together(partial(thing.drain_at_signal, seconds) for thing in things)
        finally:
            self._is_done = True
            self._is_deferring = False
            os.kill(os.getpid(), number)


class _Deferring:
    """The handler of a signal, in the place of a previous one."""

    def __init__(self, previous: Any) -> None:
        self.previous = previous

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        _at_signal.handle(number, self.previous)


_at_exit = _AtExit()
_at_signal = _AtSignal()


def close_at_exit(thing: Closable) -> None:
    """Close something when the interpreter ends, unless it leaves before.

    Several are closed at the same time; the longest of their timeouts holds for all. When all are
    closed, all are finished, so what one uses may be shared with others.
    """
    _at_exit.add(thing)


def time_left(thing: Closable) -> contextlib.AbstractContextManager[float]:
    """Return a context in which to close something whose app ends; it gives the seconds for that.

    Apps close one endpoint after the other. Those that were open together, and are closed without a
    pause in between, share the longest of their timeouts.
    """
    return _at_exit.time_left(thing)


def drain_at_signal(thing: Closable, *, only_unhandled: bool = False) -> None:
    """Drain something before the process gets SIGTERM or SIGINT, unless it leaves before.

    For servers that end the process without letting the interpreter end. It is drained in a thread;
    the signal is sent again afterwards. Further signals are ignored meanwhile, as supervisors send
    several. Does nothing where Python cannot handle signals: outside the main thread, and in
    subinterpreters.

    Args:
        thing: what is drained; several are drained at the same time.
        only_unhandled: defer only signals that nobody handles, which end the process at once.
    """
    if threading.current_thread() is threading.main_thread():
        _at_signal.add(thing, only_unhandled=only_unhandled)


def leave(thing: Closable) -> None:
    """Forget something that is closed."""
    _at_exit.discard(thing)
    _at_signal.discard(thing)


def _before_exit(callback: Callable[[], Any]) -> None:
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


def _longest(things: Iterable[Closable]) -> float:
    return max((thing.drain_timeout for thing in things), default=0.0)


def _run_together(calls: Iterable[Callable[[], None]]) -> BaseException | None:
    """Run calls at the same time, each to its end; return what one raised or what interrupted."""
    errors: list[BaseException] = []

    def run(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # the others have to run as well
            errors.append(error)

    *others, last = [*calls] or [_do_nothing]
    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in others]
    unstarted = []
    for thread, call in zip(threads, others, strict=True):
        try:
            thread.start()
        except RuntimeError:  # There are no more threads.
            unstarted.append(call)
    for call in (last, *unstarted):
        run(call)
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except (SystemExit, KeyboardInterrupt) as error:
                errors.append(error)
    return errors[-1] if errors else None


def _do_nothing() -> None:
    """What there is to do for no calls."""
