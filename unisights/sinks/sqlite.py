"""A handler that stores in a SQLite file."""

import asyncio
import contextlib
import logging
import os
import shlex
import sqlite3
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from unisights._runtime.log import log
from unisights.errors import StoreError
from unisights.sinks import _sqlite_database
from unisights.sinks._batch import Batch
from unisights.sinks._batching_sink import NO_RETRY, BatchingSink
from unisights.sinks._sqlite_database import Database
from unisights.sinks._sqlite_tables import Rows, make_rows
from unisights.sinks._urls import read_path
from unisights.sinks._writer import Writer
from unisights.types import UnisightsPayload

_ATTEMPTS = 3
"""How often it is tried to store a batch, if the files are removed each time."""

_USE_SECONDS = 5.0
"""How long to wait for an earlier batch, whose callers have given up, and for the end."""

_TIMEOUT = 20.0
"""How long a batch may take, in seconds: more than SQLite waits to connect and to begin.

A thread that hangs cannot be stopped. If it goes on, it stores a batch that counts as failed.
"""


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
        # SQLite itself waits for other processes.
        self._path = Path(path).absolute()
        super().__init__(str(self._path), batch, NO_RETRY, _TIMEOUT)

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
        self.database = Database(path)
        _writers.add(self)

    async def open(self) -> None:
        await asyncio.to_thread(self._open)

    async def write(self, items: Sequence[Rows]) -> None:
        await asyncio.to_thread(self._store, items)

    async def close(self) -> None:
        if self.database.is_open or self.database.left:
            await asyncio.to_thread(self._close)

    def is_transient(self, error: Exception) -> bool:
        # A full disk, a lock, or a disk that hangs: smaller batches would fail, too.
        return isinstance(error, StoreError | TimeoutError) or type(error) in {
            sqlite3.OperationalError,
            sqlite3.DatabaseError,
        }

    def describe(self, error: Exception) -> str:
        described = super().describe(error)
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            seconds = _sqlite_database.BUSY_SECONDS
            described += f"; waited {seconds:g} s for the transaction of another process"
        return described

    def _open(self) -> None:
        with self.database.use(_USE_SECONDS):
            _leave_lost_files(self.database)
            self.database.open()

    def _store(self, items: Sequence[Rows]) -> None:
        database = self.database
        with database.use(_USE_SECONDS):
            for _ in range(_ATTEMPTS):
                _leave_lost_files(database)
                database.open()
                if database.is_current:
                    database.store(items)
                # What was committed to removed files is confirmed by nobody.
                if database.is_current:
                    database.left = []
                    return
        raise StoreError(
            "files of it were removed again and again, or something in this process still has the "
            "old ones open"
        )

    def _close(self) -> None:
        database = self.database
        try:
            with database.use(_USE_SECONDS):
                _leave_lost_files(database)
                if database.left:
                    self._store([])
                database.close()
        except Exception as error:  # noqa: BLE001  # it is to be closed all the same
            if database.left or not database.is_current:
                message = "what was stored last in a removed file may be lost: %s"
                log(logging.ERROR, "sink_file_lost", message, error)
            # What hangs is left to the end of the process.
            with contextlib.suppress(TimeoutError):
                database.abandon(_USE_SECONDS)
        database.close_lock()


_writers: "weakref.WeakSet[_FileWriter]" = weakref.WeakSet()


def _leave_lost_files(mine: Database) -> None:
    """Close all connections of this process to lost files; what they leave is mine to store."""
    if mine.must_leave:
        for writer in sorted(_writers, key=lambda writer: writer.database is mine):
            writer.database.leave_lost_files(mine, _USE_SECONDS)
