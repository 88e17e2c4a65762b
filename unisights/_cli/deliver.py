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

_RELATIVE = "a relative path begins in the directory in which the command runs"

_Endpoint = tuple[EndpointControl, Path]
"""A durable endpoint, and its spool."""

_Endpoints = Sequence[_Endpoint]


def deliver(target: str, *, until_empty: bool, timeout: float) -> int:
    """Deliver until SIGTERM or SIGINT, or until the spools are empty; return the exit status.

    A spool that is missing, or cannot be used, does not keep the others from being delivered.

    Args:
        target: the app, see `unisights._cli.apps`.
        until_empty: end once all that was in the spools at the start has been delivered or is a
            dead letter.
        timeout: with `until_empty`, give up when nothing was delivered for so many seconds.

    Raises:
        AppError: the app cannot be loaded, or has no durable endpoint.
        StoreError: every spool is missing, or cannot be used.
        ConfigurationError: the options cannot work.
    """
    found, _kept = find_durable_endpoints(target)
    waiting = [(endpoint, endpoint.spool) for endpoint in found if endpoint.spool is not None]
    is_stopped = _stop_at_signals()
    opened: list[_Endpoint] = []
    errors: list[StoreError] = []
    is_done = False
    try:
        if until_empty:
            errors += [_missing(spool) for _endpoint, spool in waiting if not spool.exists()]
        else:
            _announce_missing(waiting)
        waiting = _open_existing(waiting, opened, errors)
        if not opened and (until_empty or not waiting):
            raise errors.pop()
        if until_empty:
            is_done = _deliver_all(opened, is_stopped, timeout) and not errors
        else:
            while waiting and not is_stopped.wait(_LOOK_SECONDS):
                waiting = _open_existing(waiting, opened, errors)
            is_stopped.wait()
    finally:
        for error in errors:
            print(f"unisights: {error}", file=sys.stderr, flush=True)
        _close(opened)
    _print_summary(opened)
    if until_empty and not is_done:
        print("unisights: not all of it was delivered", file=sys.stderr)
    return 1 if errors or (until_empty and not is_done) else 0


def _stop_at_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; a second one ends the process at once."""
    is_stopped = threading.Event()

    def stop(number: int, _frame: object) -> None:
        is_stopped.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return is_stopped


def _missing(spool: Path) -> StoreError:
    return StoreError(f"there is no spool {spool}; {_RELATIVE}")


def _announce_missing(endpoints: _Endpoints) -> None:
    for _endpoint, spool in endpoints:
        if not spool.exists():
            print(f"Waiting for the spool {spool}, which nobody has made yet; {_RELATIVE}")
    sys.stdout.flush()


def _open_existing(
    endpoints: _Endpoints, opened: list[_Endpoint], errors: list[StoreError]
) -> list[_Endpoint]:
    """Open the endpoints whose spools are there, and return the others.

    The app makes its spools. To make one here would hide a path that is wrong.
    """
    missing = []
    for endpoint, spool in endpoints:
        if not spool.exists():
            missing.append((endpoint, spool))
            continue
        try:
            endpoint.open()
        except StoreError as error:
            errors.append(error)
        else:
            opened.append((endpoint, spool))
            print(f"Delivering what is in {spool}", flush=True)
    return missing


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
