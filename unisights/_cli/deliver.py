"""`unisights deliver`: delivers what is in an app's spools, in a process of its own."""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from unisights._cli.apps import find_durable_endpoints
from unisights._runtime.callables import start_in_own_thread
from unisights._spool.store import Spool
from unisights.control import EndpointControl
from unisights.errors import StoreError

_LOOK_SECONDS = 0.1
"""How often the command looks at what has happened."""

_FOREVER = 1e9
"""A timeout in seconds that is longer than any process runs."""

_Endpoints = Sequence[tuple[EndpointControl, Path]]
"""Durable endpoints, and their spools."""


def deliver(target: str, *, until_empty: bool, timeout: float) -> int:
    """Deliver until SIGTERM or SIGINT, or until the spools are empty; return the exit status.

    Args:
        target: the app, see `unisights._cli.apps`.
        until_empty: end once all that was in the spools at the start has been delivered or is a
            dead letter.
        timeout: with `until_empty`, give up when nothing was delivered for so many seconds.

    Raises:
        AppError: the app cannot be loaded, or has no durable endpoint.
        StoreError: a spool is missing, or cannot be used.
        ConfigurationError: the options cannot work.
    """
    found, _kept = find_durable_endpoints(target)
    endpoints = [(endpoint, endpoint.spool) for endpoint in found if endpoint.spool is not None]
    is_stopped = _stop_at_signals()
    opened = []
    is_done = False
    try:
        for endpoint, spool in endpoints:
            _wait_for_file(spool, is_stopped, may_be_made=not until_empty)
            if is_stopped.is_set():
                break
            endpoint.open()
            opened.append((endpoint, spool))
            print(f"Delivering what is in {spool}", flush=True)
        else:
            is_done = (
                _deliver_all(opened, is_stopped, timeout) if until_empty else is_stopped.wait()
            )
    finally:
        _close(opened)
    _print_summary(opened)
    if until_empty and not is_done:
        print("unisights: not all of it was delivered", file=sys.stderr)
        return 1
    return 0


def _stop_at_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; a second one ends the process at once."""
    is_stopped = threading.Event()

    def stop(number: int, _frame: object) -> None:
        is_stopped.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return is_stopped


def _wait_for_file(path: Path, is_stopped: threading.Event, *, may_be_made: bool) -> None:
    """Wait until the app has made its spool. Making it here would hide a wrong path."""
    if path.exists():
        return
    reason = "a relative path begins in the directory in which the command runs"
    if not may_be_made:
        raise StoreError(f"there is no spool {path}; {reason}")
    print(f"Waiting for the spool {path}, which nobody has made yet; {reason}", flush=True)
    while not path.exists() and not is_stopped.wait(_LOOK_SECONDS):
        pass


def _deliver_all(endpoints: _Endpoints, is_stopped: threading.Event, timeout: float) -> bool:
    """Wait for all that is in the spools now; return whether it is delivered or a dead letter."""
    drains = [start_in_own_thread(endpoint.drain, _FOREVER) for endpoint, _spool in endpoints]
    last, last_change = _progress(endpoints), time.monotonic()
    while not _are_done(drains):
        if is_stopped.wait(_LOOK_SECONDS) or time.monotonic() > last_change + timeout:
            return False
        if (progress := _progress(endpoints)) != last:
            last, last_change = progress, time.monotonic()
    return True


def _are_done(drains: Sequence["Future[bool]"]) -> bool:
    return all(drain.done() and drain.result() for drain in drains)


def _progress(endpoints: _Endpoints) -> list[tuple[int | None, ...]]:
    """Return numbers that each delivery changes, whichever process makes it."""
    seen = [endpoint.stats() for endpoint, _spool in endpoints]
    return [(stats.delivered, stats.dead, stats.waiting) for stats in seen]


def _close(endpoints: _Endpoints) -> None:
    """Close the endpoints at the same time: each waits for its handlers that run."""
    for closed in [start_in_own_thread(endpoint.close) for endpoint, _spool in endpoints]:
        closed.result()


def _print_summary(endpoints: _Endpoints) -> None:
    for endpoint, path in endpoints:
        with contextlib.closing(Spool(path, must_exist=True)) as spool:
            left = spool.totals().waiting
        stats = endpoint.stats()
        print(f"{path}: {stats.delivered} delivered, {stats.dead} became dead letters, {left} left")
        if left:
            print(f"To see why, if they have failed: unisights spool list --waiting {path}")
