"""Durable delivery resumes without traffic: a spool is opened once the process serves requests.

ASGI's lifespan opens the spools of its endpoints. For the others, a thread watches until the
process is seen to serve, see `unisights._runtime.serving`, and opens them then. The thread does not
cross a fork: in a worker that was forked after the app was made, another one begins.
"""

import logging
import threading
import time
import weakref
from typing import Protocol

from unisights._runtime.fork import reset_in_children
from unisights._runtime.log import log
from unisights._runtime.serving import is_called_by_loop, is_serving, will_fork
from unisights.errors import UnisightsError

WATCH_SECONDS = 600.0
"""For how long a process is watched after an endpoint was made in it."""

_FIRST_LOOK = 0.25
_LOOK_SECONDS = 1.0
"""How often it is looked at, after the first time."""

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
        self._deliveries: weakref.WeakSet[Resumable] = weakref.WeakSet()
        self._is_serving = False
        self._is_helper = False
        self._begin_anew()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        # What a serving process forks is not a worker, but a helper of a worker.
        self._is_helper = self._is_helper or self._is_serving or is_called_by_loop()
        self._begin_anew()
        if self._deliveries:
            self._watch()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._is_watching = False

    def add(self, delivery: Resumable) -> None:
        """Resume a delivery once the process serves, or its child does."""
        with self._lock:
            self._deliveries.add(delivery)
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
        seconds = _FIRST_LOOK
        while self._goes_on():
            time.sleep(seconds)
            self._is_serving = self._is_serving or is_serving()
            if self._is_serving:
                is_done = self._resume_all()
                seconds = _FIRST_LOOK if is_done else min(2 * seconds, _LONGEST_PAUSE)
            elif time.monotonic() > until:
                self._is_watching = False
                return
            else:
                seconds = _LOOK_SECONDS

    def _goes_on(self) -> bool:
        with self._lock:
            is_over = not self._deliveries or (
                self._is_serving and not any(d.has_to_resume for d in self._deliveries)
            )
            self._is_watching = not is_over
            return not is_over

    def _resume_all(self) -> bool:
        with self._lock:
            deliveries = list(self._deliveries)
        is_done = True
        for delivery in deliveries:
            try:
                if delivery.has_to_resume:
                    delivery.resume()
            except (UnisightsError, RuntimeError) as error:
                is_done = False
                message = "what is in a spool is not delivered: %s"
                log(logging.ERROR, "spool_failed", message, error)
        return is_done


_resumption = _Resumption()


def resume_when_serving(delivery: Resumable) -> None:
    """Resume a delivery without traffic, once this process or a child of it serves requests."""
    _resumption.add(delivery)
