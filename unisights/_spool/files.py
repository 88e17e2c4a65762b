"""The spool's file: finding, making and checking it, and the errors of one that cannot be used."""

import contextlib
import glob
import os
import shutil
import sqlite3
import threading
from collections import Counter
from pathlib import Path

from unisights._runtime.fork import reset_in_children
from unisights._spool.tables import FORMAT
from unisights._sqlite.mounts import refuse_file_mount
from unisights._sqlite.open_database import Inode, inode_of
from unisights.errors import StoreError

_MAGIC = b"SQLite format 3\0"

_LEAST_BYTES = 256 * 1024
"""A disk with less room than this is full: SQLite makes the WAL and its index beside the file."""


class _OpenFiles:
    """The files to which this process has connections.

    By POSIX, closing any descriptor of a file drops all locks of the process on that file. SQLite
    keeps processes apart by such locks. So a file to which there is a connection must not be opened
    and closed by other means.

    Attributes:
        lock: is held while a connection, or any other descriptor, is opened or closed.
        connections: the number of connections to each file.
    """

    def __init__(self) -> None:
        self.connections: Counter[Inode | None] = Counter()
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        self.lock = threading.Lock()


open_files = _OpenFiles()


def explain(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Return the error of a spool that cannot be used, with what can be done about it."""
    reason = str(error)
    if primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return corrupt(path, reason)
    if primary_code(error) == sqlite3.SQLITE_BUSY:
        reason += "; waited in vain for the end of another program's transaction in it"
    if is_disk_full(path):
        # SQLite itself may call it an I/O error.
        reason += f"; the disk is full: make room in {path.parent}"
    return StoreError(f"cannot use the spool {path}: {reason}")


def corrupt(path: Path, reason: str) -> StoreError:
    """Return the error of a corrupt spool, with what can be done about it."""
    remedy = f"stop what uses it, then run: unisights spool repair {path}"
    return StoreError(f"cannot use the spool {path}: {reason}; {remedy}")


def primary_code(error: Exception) -> int | None:
    """Return SQLite's primary result code of an error; None if SQLite has not raised it."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_disk_full(path: Path) -> bool:
    """Return whether the spool's disk has no room for the least that SQLite needs to open it."""
    try:
        return shutil.disk_usage(path.parent).free < _LEAST_BYTES
    except OSError:
        return False


def check_spool(path: Path) -> None:
    """Check that a file, if there is one, is a spool, without making, locking or changing it.

    Raises:
        StoreError: there is no such directory, the file is no spool, or it is mounted by itself.
    """
    if not path.parent.is_dir():
        raise StoreError(f"cannot use the spool {path}: there is no directory {path.parent}")
    refuse_file_mount(path)
    with open_files.lock:
        if inode_of(path) in open_files.connections:
            return
        try:
            with path.open("rb") as file:
                header = file.read(100)
        except (FileNotFoundError, PermissionError):
            return  # It is yet to be made; or a management command's user is not the server's.
        except OSError as error:
            raise explain(path, error) from error
    is_ours = header.startswith(_MAGIC) and header[68:72] == FORMAT.application_id.to_bytes(
        4, "big"
    )
    if header and not is_ours:
        raise StoreError(f"cannot use the spool {path}: the file is something else")


def make_private(path: Path) -> None:
    """Make the file, if it is missing, so that only its user can read it.

    Bodies and cookies are private. SQLite gives its other files the same permissions.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def open_beside(spool: Path, path: Path) -> int:
    """Open a file beside a spool for reading and writing, and make it if it is missing.

    What root makes there belongs to the spool's owner, or the service would be locked out. The
    service's user may put anything there meanwhile, so no link is followed, and only what this
    call has made is given away.

    Returns:
        Its descriptor.

    Raises:
        OSError: it cannot be opened, or it is a symbolic link.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, flags)
        try:
            made = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        try:
            give_to_owner_of(spool, made)
        except BaseException:
            os.close(made)
            raise
        return made


def give_to_owner_of(spool: Path, made: int) -> None:
    """Give a file that this process has made to the spool's owner, if this process may do that.

    Args:
        spool: the spool; if it is missing, nothing is done.
        made: the descriptor with which the file was made. Its name may be another file's by now.
    """
    if os.geteuid() == 0:
        with contextlib.suppress(FileNotFoundError):
            owner = spool.stat()
            os.fchown(made, owner.st_uid, owner.st_gid)


def touch(path: Path) -> None:
    """Note that a spool's files are in use; some programs remove files that seem to be old."""
    for file in (path, *path.parent.glob(f"{glob.escape(path.name)}-*")):
        with contextlib.suppress(OSError):
            os.utime(file, follow_symlinks=False)
