"""Where a run was made: the machine, the versions, the day."""

import datetime as dt
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import ROOT

_PACKAGES = (
    *("msgspec", "orjson", "pydantic", "fastjsonschema", "jsonschema-rs", "uvicorn", "uvloop"),
    *("httptools", "gunicorn", "fastapi", "starlette", "flask", "django"),
)


def describe_machine() -> dict[str, Any]:
    """The machine, the versions, and the day."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    processors = [line.partition(":")[2].strip() for line in cpuinfo if "model name" in line]
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "taken": dt.datetime.now(dt.UTC).date().isoformat(),
        "revision": described.stdout.strip() or version("unisights"),
        "processor": processors[0] if processors else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: version(name) for name in _PACKAGES},
        "load_average": round(os.getloadavg()[0], 1),
    }
