"""The npm face of the schema, copied and installed: for its own tests, and where ajv judges."""

import shutil
import subprocess
from pathlib import Path

from tests.support import ROOT

SCHEMA_DIR = ROOT / "schema"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    return subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=600
    )


def copy_to(folder: Path) -> Path:
    """Copy the package as it is committed."""
    ignored = shutil.ignore_patterns("node_modules")
    return Path(shutil.copytree(SCHEMA_DIR, folder, ignore=ignored))
