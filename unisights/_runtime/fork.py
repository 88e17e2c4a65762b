"""Forks: the locks, threads and connections of a process do not work in a forked child.

This is the package's only hook for forks. An object that holds a lock, a thread or counts of its
process registers itself here. What a child must not even inherit is a `ForkGuard`: it is closed
before each fork, and opened anew by whoever uses it next, in the parent and in the child.
"""

import contextlib
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
"""How long a fork waits until nobody uses what has to be closed before it."""

_CLOSE_SECONDS = 2.0
"""How long a fork waits, at the least, until that is closed."""

_TOO_LONG = "this process was forked while the file was in use for too long: restart it"

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

    A fork waits until nobody uses it, and nobody begins to use it until the fork is done. If that
    takes too long, because a disk hangs for example, the process forks nevertheless. Then the child
    abandons it.
    """

    def __init__(self) -> None:
        self._user: int | None = None  # a thread
        self._depth = 0
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
    def tell_of_fork(self) -> None:
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
        """Let forks and other threads have it for a while; to be called inside `use`."""
        with _forks.changed:
            depth, self._depth, self._user = self._depth, 0, None
            _forks.changed.notify_all()
        try:
            yield
        finally:
            self._enter()
            self._depth = depth

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
                self._user = thread
        self._depth += 1

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
            self._user = threading.get_ident()
            self._depth = 1
        try:
            self.close_before_fork()
        finally:
            self._leave()

    def is_shared(self) -> bool:
        """Whether a fork that happened now would leave it open in the child."""
        return self._user is not None or self.is_open

    def forget_users(self) -> None:
        """In a child: nobody uses it."""
        self._user = None
        self._depth = 0


class _Forks:
    """The forks that are under way in this process; several threads may fork at once."""

    def __init__(self) -> None:
        self.guards: weakref.WeakSet[ForkGuard] = weakref.WeakSet()
        self.objects: weakref.WeakSet[Any] = weakref.WeakSet()
        self.starters: weakref.WeakSet[Any] = weakref.WeakSet()
        self.shared: list[ForkGuard]
        self.noticing = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.changed = threading.Condition()
        self.under_way = 0
        self.shared = []
        self.process = os.getpid()

    def prepare(self) -> None:
        """Close all guards, and keep them closed until the fork is done."""
        deadline = time.monotonic() + FORK_SECONDS
        thread = threading.get_ident()
        with self.changed:
            self.under_way += 1
            # What the forking thread itself uses will not become free.
            guards = [guard for guard in self.guards if guard._user != thread]  # noqa: SLF001
            self._wait_until(lambda: all(guard._user is None for guard in guards), deadline)  # noqa: SLF001
            still_open = [guard for guard in guards if guard.is_open]
        if still_open:
            self._close(still_open, max(deadline, time.monotonic() + _CLOSE_SECONDS))
        self.shared = [guard for guard in self.guards if guard.is_shared()]

    def _close(self, guards: list[ForkGuard], deadline: float) -> None:
        """Close guards, within a limited time: to close a file may take for ever, too."""

        def close_all() -> None:
            for guard in guards:
                # What could not be closed is abandoned by the child.
                with contextlib.suppress(Exception):
                    guard.close_if_unused()

        try:
            threading.Thread(target=close_all, name="unisights-fork", daemon=True).start()
        except RuntimeError:  # There are no more threads.
            close_all()
        with self.changed:
            self._wait_until(lambda: not any(guard.is_shared() for guard in guards), deadline)

    def _wait_until(self, condition: Callable[[], bool], deadline: float) -> None:
        while not condition() and (left := deadline - time.monotonic()) > 0:
            self.changed.wait(left)

    def resume(self) -> None:
        """In the parent, after the fork: let everybody go on."""
        with self.changed:
            shared, self.shared = self.shared, []
            # It was not prepared if this module was imported meanwhile.
            self.under_way = max(self.under_way - 1, 0)
            self.changed.notify_all()
        for guard in shared:
            guard.tell_of_fork()

    def notice(self) -> None:
        with self.noticing:
            if self.process != os.getpid():
                self.begin_anew(_UNHOOKED)

    def begin_anew(self, reason: str = _TOO_LONG) -> None:
        """In the child."""
        self.reset()
        errors: list[Exception] = []
        for guard in list(self.guards):
            # One that is in use may be about to be open.
            if guard.is_shared():
                guard.abandon_in_child(reason)
            guard.forget_users()
        for thing in list(self.objects):
            try:
                thing.reset_after_fork()
            except Exception as error:  # noqa: BLE001  # the others have to be reset as well
                errors.append(error)
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


def leak(thing: object) -> None:
    """Keep an object from ever being destroyed, even when the interpreter ends.

    Destroying a connection in a child may end the parent's connection: the server is told, or the
    kernel drops a lock that both share. A client whose threads run in the parent would wait for
    them for ever.
    """
    import ctypes  # noqa: PLC0415  # slow to import, and rarely needed

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


if hasattr(os, "register_at_fork"):  # Windows has no forks.
    os.register_at_fork(
        before=_forks.prepare,
        after_in_parent=_forks.resume,
        after_in_child=_forks.begin_anew,
    )
call_after_fork(notice_fork)
