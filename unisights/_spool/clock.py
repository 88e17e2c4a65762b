"""Clocks: one that nobody can set and all processes of a host share, and the time of day."""

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_clock() -> float:
    """Return the seconds since the host was started; setting the time of day does not change it."""
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Return which start of the host `boot_clock` counts from; empty if it is not known."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def wall_clock() -> int:
    """Return the time of day, in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
