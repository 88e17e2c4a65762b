"""Where a run was made, and with what."""

import datetime as dt
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.support import ROOT

PACKAGES = [
    *("msgspec", "orjson", "pydantic", "fastjsonschema", "jsonschema-rs", "uvicorn", "uvloop"),
    *("httptools", "gunicorn", "fastapi", "starlette", "flask", "django"),
]


def describe() -> dict[str, Any]:
    """The machine, the versions, and the time."""
    return {
        "taken": dt.datetime.now(dt.UTC).date().isoformat(),
        "revision": _revision(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: version(name) for name in PACKAGES},
        "load_average": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _revision() -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or version("unisights")
