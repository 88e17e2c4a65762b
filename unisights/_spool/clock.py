"""A clock that nobody can set, and that all processes of a host share."""

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_clock() -> float:
    """Seconds since the host was started; setting the time of day does not change it."""
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Which start of the host `boot_clock` counts from; empty where the system does not tell."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def wall_clock() -> int:
    """The time of day, in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
