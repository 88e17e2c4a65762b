"""A handler that stores in a SQLite file."""

import asyncio
import logging
import os
import shlex
import sqlite3
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from unisights._runtime.fork import reset_in_children
from unisights._runtime.log import log
from unisights._sqlite.open_database import Inode
from unisights.errors import StoreError
from unisights.sinks._batch import Batch
from unisights.sinks._batching_sink import NO_RETRY, UNLIMITED, BatchingSink
from unisights.sinks._sqlite_database import Database
from unisights.sinks._sqlite_tables import Rows, make_rows
from unisights.sinks._urls import read_path
from unisights.sinks._writer import Writer
from unisights.types import UnisightsPayload

_ATTEMPTS = 3
"""How often a batch is stored if the files are removed again and again."""


class SQLiteSink(BatchingSink[Rows]):
    """Stores payloads in a SQLite file: a row in `payloads` for each, one in `events` per event.

    A batch is one transaction. A payload that is delivered twice, from the spool for example, is
    stored once, as its body and its `received_at` are the same. A body that was received twice is
    stored as two rows with the same `content_id`.

    The file is in WAL mode, so it can be queried while events come in. Several processes on one
    machine may share a file, and so may several sinks in one process.

    Args:
        path: the file; it is made if it does not exist.
        batch: the bounds of a batch.
    """

    def __init__(self, path: str | os.PathLike[str], *, batch: Batch | None = None) -> None:
        # SQLite itself waits for other processes, and a thread that hangs cannot be stopped.
        super().__init__(str(Path(path).absolute()), batch, NO_RETRY, UNLIMITED)
        self._path = Path(path)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the sink of `sqlite:///FILE` or `sqlite:FILE`; a fourth slash begins at the root.

        Raises:
            ConfigurationError: the URL does not have this form.
        """
        return cls(read_path(url, "sqlite"))

    @property
    def inspect_command(self) -> str:
        """A shell command that shows how many events of each type were stored."""
        query = "SELECT type, count(*) FROM events GROUP BY type"
        return f"sqlite3 {shlex.quote(str(self._path))} {shlex.quote(query)}"

    def _prepare(self, payload: UnisightsPayload) -> tuple[Rows, int]:
        row, events = make_rows(payload)
        return (row, events), len(payload.raw) + sum(len(event[-1]) for event in events)

    def _make_writer(self) -> "_FileWriter":
        return _FileWriter(self._path)


class _FileWriter(Writer[Rows]):
    """Writes in a thread, because disks block."""

    splits = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: Database | None = None
        self._left: list[Rows] = []  # by lost files
        self._lock = threading.Lock()
        reset_in_children(self)
        _writers.add(self)

    def reset_after_fork(self) -> None:
        """A thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    async def open(self) -> None:
        await asyncio.to_thread(self._open)

    async def write(self, items: Sequence[Rows]) -> None:
        await asyncio.to_thread(self._store, items)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def is_transient(self, error: Exception) -> bool:
        # A full disk or a lock: smaller batches would fail, too.
        return isinstance(error, StoreError) or type(error) in {
            sqlite3.OperationalError,
            sqlite3.DatabaseError,
        }

    def _open(self) -> None:
        with self._lock:
            self._opened()

    def _opened(self) -> Database:
        if self._database is None:
            self._database = Database(self._path)
        return self._database

    def _close(self) -> None:
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                database.close()

    def _store(self, items: Sequence[Rows]) -> None:
        for _ in range(_ATTEMPTS):
            with self._lock:
                database = self._opened()
                if database.files.is_current:
                    database.store([*self._left, *items])
                    self._left = []
                # What was committed to removed files is confirmed by nobody.
                if database.files.is_current:
                    return
            _leave_lost_files(database.files.inode)
        raise StoreError(
            "files of it were removed, and something in this process still has the old ones open"
        )

    def leave_lost_files(self, inode: Inode | None) -> None:
        """Close the database if it is this one, and its files were removed or replaced."""
        with self._lock:
            database = self._database
            if database is None or database.files.inode != inode or database.files.is_current:
                return
            self._database = None
            message = "the files of %s were removed or replaced: using new ones"
            log(logging.WARNING, "sink_file_replaced", message, self._path)
            self._left += database.leave()


_writers: "weakref.WeakSet[_FileWriter]" = weakref.WeakSet()

_leaving = threading.Lock()


def _leave_lost_files(inode: Inode | None) -> None:
    """Close all connections of this process to a database.

    SQLite has one index of the WAL for all of them: as long as one uses the lost files, a new one
    would do so, too.
    """
    with _leaving:
        for writer in list(_writers):
            writer.leave_lost_files(inode)
