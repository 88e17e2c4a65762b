"""Durable delivery resumes without traffic: a spool is opened once the process serves requests.

ASGI's lifespan opens the spools of its endpoints. For the others, a thread watches until the
process is seen to serve, see `unisights._runtime.serving`, and opens them then. The thread does not
cross a fork: in a worker that was forked after the app was made, another one begins. It ends once
every spool is open or was closed.
"""

import logging
import threading
import time
import weakref
from typing import Protocol

from unisights._runtime.fork import reset_in_children, start_in_children
from unisights._runtime.log import log
from unisights._runtime.serving import is_called_by_loop, is_serving, will_fork
from unisights.errors import UnisightsError

WATCH_SECONDS = 600.0
"""For how long a process is watched after an endpoint was made in it."""

LIFESPAN_SECONDS = 600.0
"""How long a server's loop may run before the app's lifespan has opened an endpoint.

An app may take minutes to start, and the handler may need what it starts. But servers can be told
to run no lifespan, and an app that mounts the endpoint may forget it.
"""

_FIRST_LOOK = 0.25
_LOOK_SECONDS = 1.0
"""The time between two looks at the process, in seconds, after the first one."""

_LONGEST_PAUSE = 60.0
"""The longest time after which a spool that could not be opened is tried again."""


class Resumable(Protocol):
    """A delivery that can be resumed."""

    @property
    def has_to_resume(self) -> bool:
        """Whether it has not been opened in this process, nor closed."""

    def resume(self) -> None:
        """Open it, unless it was closed meanwhile."""


class _Resumption:
    """Watches this process, and resumes its deliveries."""

    def __init__(self) -> None:
        # For how long the process has to serve before each is resumed, in seconds.
        self._deliveries: weakref.WeakKeyDictionary[Resumable, float] = weakref.WeakKeyDictionary()
        self._serving_since: float | None = None  # by `time.monotonic`
        self._is_helper = False
        self._begin_anew()
        reset_in_children(self)
        start_in_children(self)

    def reset_after_fork(self) -> None:
        # What a serving process forks is not a worker, but a helper of a worker.
        is_helper = self._serving_since is not None or is_called_by_loop()
        self._is_helper = self._is_helper or is_helper
        self._begin_anew()

    def start_after_fork(self) -> None:
        """Watch this forked child, if it has something to resume."""
        if self._deliveries:
            self._watch()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._is_watching = False

    def add(self, delivery: Resumable, seconds: float = 0.0) -> None:
        """Resume a delivery once this process, or a child of it, has served for so long."""
        with self._lock:
            self._deliveries[delivery] = seconds
        if not will_fork():
            self._watch()

    def _watch(self) -> None:
        with self._lock:
            starts = not (self._is_helper or self._is_watching)
            self._is_watching = self._is_watching or starts
        if not starts:
            return
        thread = threading.Thread(target=self._run, name="unisights-resume", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # There are no more threads: the first payload opens the spool.
            self._is_watching = False

    def _run(self) -> None:
        until = time.monotonic() + WATCH_SECONDS
        # A server that has just loaded its app may not have entered its loop yet.
        time.sleep(_FIRST_LOOK)
        seconds = _LOOK_SECONDS
        while True:
            if self._serving_since is None and is_serving():
                self._serving_since = time.monotonic()
            if not self._goes_on():
                return
            if self._serving_since is not None:
                is_well = self._resume(time.monotonic() - self._serving_since)
                seconds = _LOOK_SECONDS if is_well else min(2 * seconds, _LONGEST_PAUSE)
            elif time.monotonic() > until:
                self._is_watching = False
                return
            time.sleep(seconds)

    def _goes_on(self) -> bool:
        with self._lock:
            self._is_watching = any(delivery.has_to_resume for delivery in self._deliveries)
            return self._is_watching

    def _resume(self, served: float) -> bool:
        """Resume what is due after so many seconds; return whether every spool could be used."""
        with self._lock:
            due = [delivery for delivery, wait in self._deliveries.items() if wait <= served]
        is_well = True
        for delivery in due:
            try:
                if delivery.has_to_resume:
                    delivery.resume()
            except (UnisightsError, RuntimeError) as error:
                is_well = False
                message = "what is in a spool is not delivered: %s"
                log(logging.ERROR, "spool_failed", message, error)
        return is_well


_resumption = _Resumption()


def resume_when_serving(delivery: Resumable, *, has_lifespan: bool) -> None:
    """Resume a delivery without traffic, once this process or a child of it serves requests.

    Args:
        delivery: the delivery.
        has_lifespan: whether a lifespan opens it. If none has begun in time, there is none.
    """
    _resumption.add(delivery, LIFESPAN_SECONDS if has_lifespan else 0.0)
