"""Forks: the locks, threads and connections of a process do not work in a forked child.

This is the package's only hook for forks. An object that holds a lock, a thread or counts of its
process registers itself here. What a child must not even inherit is a `ForkGuard`: it is closed
before each fork, and opened anew by whoever uses it next, in the parent and in the child.
"""

# Hooks run in the reverse order. These two modules have hooks that take locks, so they are imported
# before this module's hook exists: it may wait for long, and would do so with their locks held.
import concurrent.futures.thread  # noqa: F401
import contextlib
import functools
import logging  # noqa: F401
import os
import sys
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from unisights._runtime.uwsgi_forks import call_after_fork

FORK_SECONDS = 10.0
"""How long a fork waits for one use of what has to be closed before it, since that use began."""

_BAR_SECONDS = 1.0
"""For how long a fork keeps others from beginning a use until nobody uses anything."""

_CLOSE_SECONDS = 2.0
"""How long a fork waits until everything is closed."""

_UNCLOSED = (
    "this process was forked while its parent had the file open, as {}: restart this process"
)

_UNHOOKED = (
    "this process was forked while its parent had the file open, by something that does not call "
    "the hooks of os.register_at_fork: open it in the child only"
)


class ForkAware(Protocol):
    """An object that begins anew in a forked child."""

    def reset_after_fork(self) -> None:
        """Begin anew, in the child, and leave to the parent everything that it still uses."""


class Starter(Protocol):
    """An object that has something to start in a forked child."""

    def start_after_fork(self) -> None:
        """Start it, in the child."""


class ForkGuard(ABC):
    """Something that is closed before each fork. One thread at a time uses it.

    A fork waits until nobody uses it, and nobody begins to use it while the fork closes it. If that
    takes too long, because a disk hangs for example, the process forks nevertheless. Then the child
    abandons it. One that hangs does not keep others from being used.
    """

    def __init__(self) -> None:
        self._user: int | None = None  # a thread
        self._since = 0.0  # when that thread began, by `time.monotonic`
        self._depth = 0
        # A child would wait for ever for an import that was under way in another thread.
        _increase_references()
        with _forks.changed:
            _forks.guards.add(self)

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether there is something to be closed."""

    @abstractmethod
    def close_before_fork(self) -> None:
        """Close it; nobody uses it."""

    @abstractmethod
    def tell_of_fork(self, why: str) -> None:
        """Log, in the parent, that the process was forked without closing it."""

    @abstractmethod
    def abandon_in_child(self, reason: str) -> None:
        """Leave it to the parent, as it was not closed; refuse to open it in this child."""

    @contextlib.contextmanager
    def use(self, seconds: float | None = None) -> Iterator[None]:
        """Use it, in one thread. A thread that uses it already may do so again inside.

        Args:
            seconds: how long to wait until no other thread uses it; None: without limit.

        Raises:
            TimeoutError: another thread still uses it.
        """
        self._enter(seconds)
        try:
            yield
        finally:
            self._leave()

    @contextlib.contextmanager
    def let_go(self) -> Iterator[None]:
        """Release it for a while, to forks and to other threads; to be called inside `use`."""
        with _forks.changed:
            depth, self._depth, self._user = self._depth, 0, None
            _forks.changed.notify_all()
        try:
            yield
        finally:
            self._enter()
            self._depth = depth

    def take_back(self) -> bool:
        """Use it again, inside `let_go`, unless one would have to wait; return whether it is used.

        Whoever holds something else, which others wait for, must not wait for a fork with it.
        """
        try:
            self._enter(0)
        except TimeoutError:
            return False
        return True

    def _enter(self, seconds: float | None = None) -> None:
        thread = threading.get_ident()
        # Only this thread sets and resets its own number.
        if self._user != thread:
            with _forks.changed:
                if self._user is not None or _forks.under_way:
                    is_free = _forks.changed.wait_for(
                        lambda: self._user is None and not _forks.under_way, seconds
                    )
                    if not is_free:
                        raise TimeoutError("an earlier use of it has not ended")
                self._begin(thread)
        self._depth += 1

    def _begin(self, thread: int) -> None:
        self._user = thread
        self._since = time.monotonic()

    def _leave(self) -> None:
        if self._user != threading.get_ident():
            return  # This is a child that was forked inside `use`.
        self._depth -= 1
        if not self._depth:
            with _forks.changed:
                self._user = None
                _forks.changed.notify_all()

    def close_if_unused(self) -> None:
        """Close it during a fork."""
        with _forks.changed:
            if self._user is not None or not self.is_open:
                return
            self._begin(threading.get_ident())
            self._depth = 1
        try:
            self.close_before_fork()
        finally:
            self._leave()

    def is_awaited_by(self, thread: int) -> bool:
        """Whether a fork in that thread waits for the end of the present use."""
        # What the forking thread itself uses will not become free.
        return self._user not in {None, thread} and time.monotonic() < self._since + FORK_SECONDS

    @property
    def is_used(self) -> bool:
        """Whether a thread uses it."""
        return self._user is not None

    @property
    def use_of(self) -> tuple[int | None, float]:
        """What tells one use from another: the thread, and when it began."""
        return self._user, self._since

    def describe_use(self, thread: int) -> str:
        """Return why it could not be closed before a fork in that thread."""
        if self._user == thread:
            return "the thread that forked was using it"
        if self._user is None:
            return "it was not closed in time"
        seconds = time.monotonic() - self._since
        return f"another thread had been using or closing it for {seconds:.1f} s"

    def would_be_inherited(self) -> bool:
        """Whether a fork that happened now would leave it open in the child."""
        return self._user is not None or self.is_open

    def forget_users(self) -> None:
        """In a child: nobody uses it."""
        self._user = None
        self._depth = 0


class _Forks:
    """The forks that are under way in this process; several threads may fork at once.

    Attributes:
        under_way: for each thread that is forking, what it could not close, and why. As long as
            there is one, nobody begins to use a guard.
    """

    def __init__(self) -> None:
        self.guards: weakref.WeakSet[ForkGuard] = weakref.WeakSet()
        self.objects: weakref.WeakSet[Any] = weakref.WeakSet()
        self.starters: weakref.WeakSet[Any] = weakref.WeakSet()
        self.noticing = threading.Lock()
        self.process = os.getpid()
        self.reset()

    def reset(self) -> None:
        self.changed = threading.Condition()
        self.under_way: dict[int, dict[ForkGuard, str]] = {}

    def prepare(self) -> None:
        """Close all guards, and keep them closed until the fork is done."""
        thread = threading.get_ident()
        unused: list[ForkGuard] = []
        # A signal's handler may raise: the interpreter forks all the same.
        try:
            with self.changed:
                try:
                    self._wait_for_users(thread)
                finally:
                    self.under_way.setdefault(thread, {})
                    unused += [
                        guard for guard in self.guards if guard.is_open and not guard.is_used
                    ]
        finally:
            self._close(thread, unused)

    def _wait_for_users(self, thread: int) -> None:
        """Wait until nobody uses a guard, or only for too long. Then nobody may begin to."""
        deadline = time.monotonic() + FORK_SECONDS
        while True:
            # The present uses may take long: those of other guards go on meanwhile.
            uses = {guard: guard.use_of for guard in self._awaited(thread)}
            oldest = min((since for _, since in uses.values()), default=0.0)
            self._wait_until(
                lambda uses=uses: all(guard.use_of != use for guard, use in uses.items()),  # type: ignore[misc]
                min(oldest + FORK_SECONDS, deadline),
            )
            self.under_way[thread] = {}
            self._wait_until(lambda: not self._awaited(thread), time.monotonic() + _BAR_SECONDS)
            if not self._awaited(thread) or time.monotonic() >= deadline:
                return
            self._end(thread)

    def _awaited(self, thread: int) -> list[ForkGuard]:
        return [guard for guard in self.guards if guard.is_awaited_by(thread)]

    def _close(self, thread: int, unused: list[ForkGuard]) -> None:
        """Close what nobody uses, and note what a child would inherit, and why."""
        failed: dict[ForkGuard, str] = {}

        def close(guard: ForkGuard) -> None:
            try:
                guard.close_if_unused()
            except Exception as error:  # noqa: BLE001  # the child abandons it
                with self.changed:
                    failed[guard] = f"it could not be closed: {error}"
                    self.changed.notify_all()

        try:
            for guard in unused:
                # To close a file may take for ever, too, and must not keep others from it.
                closing = threading.Thread(
                    target=close, args=(guard,), name="unisights-fork", daemon=True
                )
                try:
                    closing.start()
                except RuntimeError:  # There are no more threads.
                    close(guard)
            with self.changed:
                self._wait_until(
                    lambda: all(
                        guard in failed or not guard.would_be_inherited() for guard in unused
                    ),
                    time.monotonic() + _CLOSE_SECONDS,
                )
        finally:
            with self.changed:
                self.under_way[thread] = {
                    guard: failed.get(guard) or guard.describe_use(thread)
                    for guard in self.guards
                    if guard.would_be_inherited()
                }

    def _wait_until(self, condition: Callable[[], bool], deadline: float) -> None:
        while not condition() and (left := deadline - time.monotonic()) > 0:
            self.changed.wait(left)

    def _end(self, thread: int) -> dict[ForkGuard, str]:
        unclosed = self.under_way.pop(thread, {})
        self.changed.notify_all()
        return unclosed

    def resume(self) -> None:
        """In the parent, after the fork: let everybody go on."""
        with self.changed:
            unclosed = self._end(threading.get_ident())
        for guard, why in unclosed.items():
            guard.tell_of_fork(why)

    def notice(self) -> None:
        with self.noticing:
            if self.process != os.getpid():
                self.begin_anew(_UNHOOKED)

    def begin_anew(self, reason: str | None = None) -> None:
        """In the child."""
        unclosed = self.under_way.get(threading.get_ident(), {})
        self.reset()
        errors: list[Exception] = []
        for guard in list(self.guards):
            # One that is in use may be about to be open.
            if guard.would_be_inherited():
                why = unclosed.get(guard, "the fork was not prepared")
                guard.abandon_in_child(reason or _UNCLOSED.format(why))
            guard.forget_users()
        for thing in list(self.objects):
            try:
                thing.reset_after_fork()
            except Exception as error:  # noqa: BLE001  # the others have to be reset as well
                errors.append(error)
        # Other threads wait for this, if no hook was called.
        self.process = os.getpid()
        for thing in list(self.starters):
            thing.start_after_fork()
        if errors:
            # The interpreter prints it, and the child goes on.
            raise ExceptionGroup("a forked child could not be reset", errors)


_forks = _Forks()


def reset_in_children(thing: ForkAware) -> None:
    """Call an object's `reset_after_fork` in each child that is forked while the object lives."""
    _forks.objects.add(thing)


def start_in_children(thing: Starter) -> None:
    """Call an object's `start_after_fork` in each child, once all other objects were reset."""
    _forks.starters.add(thing)


def notice_fork() -> None:
    """Begin anew if this process was forked without the interpreter's hooks, as uWSGI does.

    To be called before anything that a request needs; it costs next to nothing.
    """
    if _forks.process != os.getpid():
        _forks.notice()


def will_fork_unhooked() -> bool:
    """Return whether this is the first process of uWSGI, which forks its workers without hooks."""
    uwsgi = sys.modules.get("uwsgi")
    return (
        uwsgi is not None
        and not (uwsgi.worker_id() or uwsgi.mule_id())
        and "py-call-uwsgi-fork-hooks" not in uwsgi.opt
    )


def is_forking() -> bool:
    """Return whether a fork is under way, for which nobody may begin to use a guard."""
    return bool(_forks.under_way)


@functools.cache
def _increase_references() -> Callable[[object], None]:
    try:
        import ctypes  # noqa: PLC0415  # slow to import, and rarely needed
    except ImportError:  # Python was built without libffi. This keeps objects until the end.
        kept: list[object] = []
        return kept.append
    return lambda thing: ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def leak(thing: object) -> None:
    """Keep an object from ever being destroyed, even when the interpreter ends.

    Destroying a connection in a child may end the parent's connection: the server is told, or the
    kernel drops a lock that both share. A client whose threads run in the parent would wait for
    them for ever.
    """
    _increase_references()(thing)


if hasattr(os, "register_at_fork"):  # Windows has no forks.
    os.register_at_fork(
        before=_forks.prepare,
        after_in_parent=_forks.resume,
        after_in_child=_forks.begin_anew,
    )
call_after_fork(notice_fork)
