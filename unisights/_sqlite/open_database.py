"""The files that a connection in WAL mode has open.

A connection goes on with the files that it has opened, whatever becomes of their names: it goes on
confirming what nobody else will ever see. So their identities are noted, and compared with what the
names stand for now.
"""

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from unisights._runtime.log import log

Inode = tuple[int, int]
"""The identity of a file, by whatever name: its device and its number."""

_DESCRIPTORS = Path("/dev/fd")

_MOST_DESCRIPTORS = 65_536
"""How many descriptors are tried at most where the system does not list them."""

_BESIDE = ("-wal", "-shm")


def inode_of(path: Path) -> Inode | None:
    """Return the identity of a file; None if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove_leftovers(path: Path) -> None:
    """Remove what a removed database or a removed WAL has left, before a connection is opened.

    SQLite would take an old index for that of the new WAL, and an old WAL for that of the new
    database. The WAL of a database that was moved is kept under another name: after a crash, it
    holds what the database lacks.
    """
    # In this order: what another process makes now is not there yet.
    path = path.resolve()
    beside = _files_beside(path)
    left = [file for file in beside if inode_of(file) is not None]
    if inode_of(path) is not None:
        left = (
            [] if inode_of(beside[0]) is not None else [file for file in left if file == beside[1]]
        )
    for file in left:
        if file == beside[0]:
            _keep(path, file)
        else:
            file.unlink(missing_ok=True)


def _keep(path: Path, wal: Path) -> None:
    """Rename the WAL of a database that is not at `path` any more; remove it if it is empty."""
    kept = Path(f"{path}-lost-{time.time_ns() // 1_000_000}-wal")
    with contextlib.suppress(FileNotFoundError):
        if not wal.stat().st_size:
            wal.unlink()
            return
        wal.rename(kept)
        log(
            logging.ERROR,
            "sqlite_wal_kept",
            "%s is gone, but not its WAL, which may hold what the file lacks: kept as %s. If the "
            "file was moved, to NAME for example, rename this to NAME-wal before anything opens "
            "NAME; then that is complete",
            path,
            kept,
        )


class OpenDatabase:
    """The database, its write-ahead log (WAL) and the index of the WAL, as a connection has them.

    Args:
        path: the database; a connection in WAL mode has just read from it.

    Attributes:
        inode: the identity of the database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # SQLite follows a symbolic link, and makes its files beside the file that it leads to.
        self._real = path.resolve()
        self.inode = inode_of(self._real)
        self._beside = _files_beside(self._real)
        self._inodes = [inode_of(beside) for beside in self._beside]
        # Locks are on the other two files: this one may be opened and closed.
        self._wal = os.open(self._beside[0], os.O_RDWR)

    def close(self) -> None:
        """Close what this object has opened itself."""
        os.close(self._wal)

    @property
    def is_current(self) -> bool:
        """Whether all three names still stand for the files that the connection has open."""
        return self.is_database_current and None not in self._inodes and not self._lost()

    @property
    def is_database_current(self) -> bool:
        """Whether the name of the database stands for the one that the connection has open."""
        return self.inode is not None and inode_of(self._path) == self.inode

    @property
    def is_complete(self) -> bool:
        """Whether the three files have the names by which they were opened.

        They do also if a symbolic link to the database leads elsewhere by now.
        """
        return inode_of(self._real) == self.inode and not self._lost()

    @property
    def has_successor(self) -> bool:
        """Whether others have made new files: there is a WAL or an index that is not this one's."""
        return any(inode_of(path) is not None for path in self._lost())

    @property
    def is_removed(self) -> bool:
        """Whether the database has no name any more; otherwise it has this one or another."""
        for descriptor in _descriptors():
            with contextlib.suppress(OSError):
                found = os.fstat(descriptor)
                if (found.st_dev, found.st_ino) == self.inode:
                    return found.st_nlink == 0
        return not self.is_database_current

    @property
    def wal_bytes(self) -> int:
        """The size of the WAL; 0: all of it is in the database."""
        return os.fstat(self._wal).st_size

    def drop_wal(self) -> None:
        """Empty the WAL, unless others use it: nobody can write it to the database any more."""
        if self._beside[0] in self._lost():
            os.ftruncate(self._wal, 0)

    def remove_names(self) -> None:
        """Remove the names of the WAL and its index: SQLite must not use them for another file."""
        for path in self._beside:
            if path not in self._lost():
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def keeping_successor(self) -> Iterator[None]:
        """Keep the WAL that others have begun, while the connection is closed inside.

        SQLite removes the WAL of a database that nobody else has open, by its name, whether or not
        this is the one that the connection has used.
        """
        wal = self._beside[0]
        if not self.is_database_current or wal not in self._lost() or inode_of(wal) is None:
            yield
            return
        kept = Path(f"{wal}-{secrets.token_hex(8)}")
        os.link(wal, kept)
        try:
            yield
        finally:
            with contextlib.suppress(FileExistsError):
                os.link(kept, wal)
            kept.unlink()

    def _lost(self) -> list[Path]:
        """The names that stand for another file than the open one, or for none."""
        pairs = zip(self._beside, self._inodes, strict=True)
        return [path for path, inode in pairs if inode_of(path) != inode]


def _files_beside(path: Path) -> list[Path]:
    return [Path(f"{path}{end}") for end in _BESIDE]


def _descriptors() -> Iterable[int]:
    """Return the descriptors of this process, or all possible ones if it cannot list them."""
    with contextlib.suppress(OSError, ValueError):
        if found := [int(path.name) for path in _DESCRIPTORS.iterdir()]:
            return found
    return range(min(os.sysconf("SC_OPEN_MAX"), _MOST_DESCRIPTORS))
