"""Clocks: a monotonic clock that all processes on the machine share, and the time of day."""

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_SAME_START = 60.0
"""Starts of the machine that are closer to each other, in seconds, are the same one."""


def boot_clock() -> float:
    """Return the seconds since the machine was started; setting the time of day has no effect."""
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Return the start of the machine from which `boot_clock` counts, as `is_this_boot` reads it.

    It is `ID@TIME`: the system's id, which is empty if it cannot be read (macOS; systemd's
    `ProcSubset=pid`), and its time of day, in seconds since the Unix epoch.
    """
    return f"{_system_id()}@{_start():.0f}"


def is_this_boot(noted: str) -> bool:
    """Return whether a `boot_id` that was noted earlier is of the present start of the machine."""
    system_id, _, start = noted.partition("@")
    present = _system_id()
    if system_id and present:
        return system_id == present
    try:
        # Setting the time of day moves the start, too. Then waits end early, and ages count anew.
        return abs(float(start) - _start()) < _SAME_START
    except ValueError:
        return False


def _system_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _start() -> float:
    return wall_clock() / 1000 - boot_clock()


def wall_clock() -> int:
    """Return the time of day, in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
