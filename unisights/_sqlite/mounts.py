"""Files that are mounted by themselves, without their directory.

SQLite keeps a part of a database in files beside it. If only the database itself is mounted into a
container, these stay inside: they end with the container, and other containers do not see them.
"""

import re
from pathlib import Path

from unisights.errors import StoreError

_MOUNTS = Path("/proc/self/mountinfo")


def refuse_file_mount(path: Path) -> None:
    """Check that a file was not mounted by itself.

    Args:
        path: the file, which need not exist.

    Raises:
        StoreError: it was.
    """
    if is_mount_point(path):
        raise StoreError(
            f"cannot use {path}: the file itself is mounted, without its directory. SQLite keeps "
            "what was just committed in files beside it, which would be lost with the container: "
            f"mount the directory {path.parent}"
        )


def is_mount_point(path: Path) -> bool:
    """Return whether a file is a mount point."""
    real = path.resolve()
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return _is_on_other_device(real)
    return any(_unescaped(line.split(" ", 5)[4]) == str(real) for line in mounts.splitlines())


def _is_on_other_device(path: Path) -> bool:
    """Return whether a file is on another device than its directory.

    This is less exact than the list of mounts: a file of the same device may be mounted too, and
    overlayfs may show devices of its layers.
    """
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except OSError:
        return False  # There is no such file.


def _unescaped(name: str) -> str:
    """Return a name of the list of mounts, in which spaces and newlines are octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name)
