"""The end of a process: what has to be done while threads and event loops still work.

This is the package's only hook for the end of the process. What is open registers itself here and
leaves when it is closed, so nothing that is closed is kept alive. `ending` says how long it takes,
and `signals` defers those that end the process.
"""

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401  # registers its own hook first, see below
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from unisights._runtime.ending import Ending, TimeLeft
from unisights._runtime.fork import reset_in_children
from unisights._runtime.log import log
from unisights._runtime.signals import Deferral

_GRACE_SECONDS = 1.0
"""What has not ended so many seconds after its time is over is left behind."""


class Closable(Protocol):
    """What has to be drained and closed before the process ends."""

    @property
    def name(self) -> str:
        """What operators know it by."""

    @property
    def drain_timeout(self) -> float:
        """How long draining may take, in seconds, if nothing else in the process takes longer."""

    @property
    def has_to_report(self) -> bool:
        """Whether it needs time after draining, for what was not drained."""

    @property
    def has_to_close(self) -> bool:
        """Whether it needs time to finish."""

    def drain_at_signal(self, left: TimeLeft) -> None:
        """Drain, before the process or its server gets a signal."""

    def close(self, left: TimeLeft) -> None:
        """Drain, and accept nothing more."""

    def finish(self, left: TimeLeft) -> None:
        """Do what has to be done after everything in the process was drained."""


class _ProcessEnd:
    """What ends with the process: at the same time, under one deadline."""

    def __init__(self) -> None:
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        # What the parent has opened is the parent's to close.
        self._lock = threading.Lock()
        self._open: dict[int, Closable] = {}
        self._deferring: dict[int, Closable] = {}
        self._is_hooked = False
        self._ending: Ending | None = None
        self._in_turn: dict[int, Closable] = {}

    def add(self, thing: Closable) -> None:
        with self._lock:
            self._open[id(thing)] = thing
            hooks, self._is_hooked = not self._is_hooked, True
        if hooks:
            _before_exit(self.close_all)

    def add_deferring(self, thing: Closable) -> None:
        with self._lock:
            self._deferring[id(thing)] = thing

    def discard(self, thing: Closable) -> None:
        with self._lock:
            for things in (self._open, self._deferring, self._in_turn):
                things.pop(id(thing), None)

    @contextlib.contextmanager
    def time_left(self, thing: Closable) -> Iterator[TimeLeft]:
        with self._lock:
            ending = self._join([thing])
            others = [other for other in self._in_turn.values() if other is not thing]
            left = ending.time_left(
                reporting=1 + sum(other.has_to_report for other in others),
                closing=1 + sum(other.has_to_close for other in others),
            )
        try:
            yield left
        finally:
            with self._lock:
                ending.note_close()
                self._in_turn.pop(id(thing), None)

    def drain_deferring(self) -> None:
        with self._lock:
            things = list(self._deferring.values())
            ending = self._join(things, by_signal=True)
        left = ending.time_left()
        drains = [(thing, partial(thing.drain_at_signal, left)) for thing in things]
        _run_together(drains, left.drain + left.report, "drain")
        ending.note_close()

    def end_all(self) -> None:
        with self._lock:
            things = list({**self._open, **self._deferring}.values())
        drains = [thing.drain_at_signal for thing in things]
        self._end(drains, [partial(_finish_and_close, thing) for thing in things], things)

    def close_all(self) -> None:
        with self._lock:
            things = list(self._open.values())
            self._open.clear()
            # What opens from now on is too late for this hook, and asks for another.
            self._is_hooked = False
        closes = [thing.close for thing in things]
        error = self._end(closes, [thing.finish for thing in things], things, by_signal=False)
        if error is not None:
            raise error

    def _end(
        self,
        drains: Sequence[Callable[[TimeLeft], None]],
        finishes: Sequence[Callable[[TimeLeft], None]],
        things: Sequence[Closable],
        *,
        by_signal: bool = True,
    ) -> BaseException | None:
        if not things:
            return None
        with self._lock:
            ending = self._join(things, by_signal=by_signal)
        left = ending.time_left()
        calls = [(thing, partial(drain, left)) for thing, drain in zip(things, drains, strict=True)]
        error = _run_together(calls, left.drain + left.report, "drain")
        left = ending.time_to_close()
        calls = [(thing, partial(end, left)) for thing, end in zip(things, finishes, strict=True)]
        error = _run_together(calls, left.close, "close") or error
        ending.note_close()
        return error

    def _join(self, things: Sequence[Closable], *, by_signal: bool = False) -> Ending:
        """Return the present end if all of these were open when it began; else begin another."""
        ending = self._ending
        is_new = any(id(thing) not in self._in_turn for thing in things)
        if ending is None or is_new or ending.is_over:
            self._in_turn = {**self._open, **{id(thing): thing for thing in things}}
            longest = max((thing.drain_timeout for thing in self._in_turn.values()), default=0.0)
            self._ending = ending = Ending(longest, by_signal=by_signal)
        return ending


_process_end = _ProcessEnd()
_deferral = Deferral(_process_end.drain_deferring, _process_end.end_all)


def close_at_exit(thing: Closable) -> None:
    """Close something when the process ends, unless it leaves before.

    That is when the interpreter ends, or before SIGTERM, SIGINT, SIGHUP or SIGQUIT if nobody
    handles it, in which case the interpreter does not end. Several are closed at the same time; the
    longest of their timeouts holds for all. When all are closed, all are finished, so what one uses
    may be shared with others.
    """
    _process_end.add(thing)
    _deferral.begin(handled=False)


def drain_at_signal(thing: Closable) -> None:
    """Drain something also before SIGTERM or SIGINT that a server handles, unless it leaves before.

    For servers that end the process without letting the interpreter end. Several are drained at the
    same time.
    """
    _process_end.add_deferring(thing)
    _deferral.begin(handled=True)


def time_left(thing: Closable) -> contextlib.AbstractContextManager[TimeLeft]:
    """Return a context in which to close something whose app ends; it gives the time for that.

    Apps close one endpoint after the other. Those that were open together, and are closed without a
    pause in between, share the time of one end of the process.
    """
    return _process_end.time_left(thing)


@contextlib.asynccontextmanager
async def leave_behind(thing: Closable, seconds: float) -> AsyncIterator[None]:
    """Return a context in which to drain, which lasts no longer than so many seconds, and one."""
    try:
        async with asyncio.timeout(seconds + _GRACE_SECONDS):
            yield
    except TimeoutError:
        _tell_left_behind([thing], "drain")


def leave(thing: Closable) -> None:
    """Forget something that is closed."""
    _process_end.discard(thing)


def _finish_and_close(thing: Closable, left: TimeLeft) -> None:
    """Close something last: until then it may accept payloads that outlive the process."""
    thing.finish(left)
    thing.close(TimeLeft(0.0, 0.0, 0.0))


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


def _run_together(
    calls: Iterable[tuple[Closable, Callable[[], None]]], seconds: float, phase: str
) -> BaseException | None:
    """Run calls at the same time; return what one raised or what interrupted the wait.

    They keep to their time themselves. One that does not is left behind a second later, so that the
    process ends whatever it waits for.
    """
    errors: list[BaseException] = []
    deadline = time.monotonic() + seconds + _GRACE_SECONDS

    def run(call: Callable[[], None], ended: threading.Event) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # the others have to run as well
            errors.append(error)
        finally:
            ended.set()

    ends: list[threading.Event] = []
    started: list[Closable] = []
    unstarted = []
    for thing, call in calls:
        arguments = call, threading.Event()
        try:
            threading.Thread(target=run, args=arguments, daemon=True).start()
        except RuntimeError:  # There are no more threads.
            unstarted.append(arguments)
        else:
            ends.append(arguments[1])
            started.append(thing)
    for arguments in unstarted:
        run(*arguments)
    errors += _wait_until(deadline, ends)
    late = [thing for thing, ended in zip(started, ends, strict=True) if not ended.is_set()]
    if late:
        _tell_left_behind(late, phase)
    return errors[-1] if errors else None


def _tell_left_behind(things: Sequence[Closable], phase: str) -> None:
    names = sorted(thing.name for thing in things)
    log(
        logging.ERROR,
        "end_timed_out",
        "left behind, as it did not end in time: %s (phase: %s)",
        ", ".join(names),
        phase,
        count=len(names),
        endpoints=names,
        phase=phase,
    )


def _wait_until(deadline: float, ends: Sequence[threading.Event]) -> list[BaseException]:
    """Wait for events; return what interrupted the wait, which goes on.

    Not for threads: Python 3.11 takes a thread to have ended when `join` is interrupted.
    """
    interrupts: list[BaseException] = []
    while True:
        try:
            for ended in ends:
                ended.wait(max(0.0, deadline - time.monotonic()))
        except (SystemExit, KeyboardInterrupt) as error:
            interrupts.append(error)
        else:
            return interrupts
