"""Clocks: a monotonic clock that all processes on the machine share, and the time of day."""

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_clock() -> float:
    """Return the seconds since the machine was started; setting the time of day has no effect."""
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Return the id of the start from which `boot_clock` counts; empty if it is not known."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def wall_clock() -> int:
    """Return the time of day, in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
