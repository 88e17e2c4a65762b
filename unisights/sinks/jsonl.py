"""A handler that appends to an NDJSON file, and rotates it."""

import asyncio
import contextlib
import os
import re
import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

try:
    import fcntl
except ImportError as error:
    raise ImportError("JSONLinesSink needs a POSIX system: it locks files with flock") from error

from unisights._runtime.fork import reset_in_children
from unisights._sqlite.file_lock import name_holder
from unisights.errors import ConfigurationError, SinkError
from unisights.sinks._batch import Batch
from unisights.sinks._batching_sink import NO_RETRY, UNLIMITED, BatchingSink
from unisights.sinks._records import encode, make_record
from unisights.sinks._urls import read_flag, read_path, split_options
from unisights.sinks._writer import Writer
from unisights.types import UnisightsPayload

_NEWLINE = b"\n"

_LOCK_SECONDS = 5.0
"""How long to wait for another process or thread that writes to the file."""

_POLL_SECONDS = 0.002
"""How often the lock is tried; the kernel knows no limit."""


class JSONLinesSink(BatchingSink[bytes]):
    """Appends each payload as a line of JSON to a file; a full file is renamed, and a new one made.

    A line is `{"content_id", "received_at", "clock_skew", "encrypted", "schema_version", "data"}`.
    A full file gets the time behind its name, such as `events.jsonl.1764249538123456` (microseconds
    since the Unix epoch), and is never changed again. No two get the same, even if full files are
    compressed or moved away. Several processes on one machine may share a file, and so may several
    sinks in one process, by whatever name: each write and each rotation locks the file. If the file
    is removed or moved, the next write makes a new one. If a crash leaves half a line, the next
    write begins a new line.

    Args:
        path: the file; it is made if it does not exist.
        max_bytes: a file of this size or more is full.
        max_files: the greatest number of full files; the oldest are deleted, unless they were
            compressed or got another name. None keeps all.
        fsync: confirm a payload when the disk has confirmed it, so that it survives a power
            failure. When off, it survives the end of the process.
        batch: the bounds of a batch.

    Raises:
        ConfigurationError: a value is out of range.
        ImportError: the system is not a POSIX one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 64 * 1024 * 1024,
        max_files: int | None = None,
        fsync: bool = False,
        batch: Batch | None = None,
    ) -> None:
        if max_bytes < 1:
            raise ConfigurationError("JSONLinesSink: max_bytes must be a positive number")
        if max_files is not None and max_files < 1:
            raise ConfigurationError(
                "JSONLinesSink: max_files must be a positive number, or None to keep all"
            )
        # A disk that failed fails again, and a thread that hangs cannot be stopped.
        self._path = Path(path).absolute()
        super().__init__(str(self._path), batch, NO_RETRY, UNLIMITED)
        self._file = _RotatingFile(self._path, max_bytes, max_files, fsync=fsync)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the sink of `jsonl:///FILE` or `jsonl:FILE`; a fourth slash begins at the root.

        The query may have `max_bytes`, `max_files` and `fsync`, such as
        `jsonl:events.jsonl?max_files=10&fsync=true`.

        Raises:
            ConfigurationError: the URL does not have this form, or a value is out of range.
        """
        base, options = split_options(url, {"max_bytes": int, "max_files": int, "fsync": read_flag})
        return cls(read_path(base, "jsonl"), **options)

    @property
    def inspect_command(self) -> str:
        """A shell command that shows what was stored."""
        return f"tail {shlex.quote(str(self._path))}"

    def _prepare(self, payload: UnisightsPayload) -> tuple[bytes, int]:
        line = encode(make_record(payload)) + _NEWLINE
        return line, len(line)

    def _make_writer(self) -> "_FileWriter":
        return _FileWriter(self._file)


class _FileWriter(Writer[bytes]):
    """Writes in a thread, because disks block."""

    def __init__(self, file: "_RotatingFile") -> None:
        self._file = file

    async def open(self) -> None:
        await asyncio.to_thread(self._file.open)

    async def write(self, items: Sequence[bytes]) -> None:
        await asyncio.to_thread(self._file.append, b"".join(items))

    async def close(self) -> None:
        await asyncio.to_thread(self._file.close)

    def is_transient(self, error: Exception) -> bool:  # noqa: ARG002
        return False


class _RotatingFile:
    """A file that is written under a lock, and renamed when it is full."""

    def __init__(self, path: Path, max_bytes: int, max_files: int | None, *, fsync: bool) -> None:
        self._path = path
        self._real = path
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._fsync = fsync
        self._last = 0
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Begin anew, as a thread of the parent may be inside `append`.

        A file lock belongs to the open file, which the fork shares. While the child had it open,
        the lock of a parent that was killed would not be released.
        """
        self._lock = threading.Lock()
        self._close_descriptor()

    def open(self) -> None:
        with self._for_one_thread(), self._locked():
            pass

    def close(self) -> None:
        # What hangs is left to the end of the process.
        with contextlib.suppress(SinkError), self._for_one_thread():
            self._close_descriptor()

    def append(self, lines: bytes) -> None:
        """Append lines: all of them or none."""
        with self._for_one_thread():
            while not self._append(lines):
                self._close_descriptor()

    @contextlib.contextmanager
    def _for_one_thread(self) -> Iterator[None]:
        # After a fork, the child has another one.
        lock = self._lock
        if not lock.acquire(timeout=_LOCK_SECONDS):
            raise SinkError(
                f"waited {_LOCK_SECONDS:g} s for another thread that writes to the file"
            )
        try:
            yield
        finally:
            lock.release()

    def _append(self, lines: bytes) -> bool:
        """Append lines; return False if the file was removed or moved at that moment."""
        with self._locked() as descriptor:
            size = os.fstat(descriptor).st_size
            is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != _NEWLINE
            try:
                _write(descriptor, _NEWLINE + lines if is_torn else lines)
                if self._fsync:
                    os.fsync(descriptor)
            except OSError:
                # The disk may be full. Half a line would be of no use.
                with contextlib.suppress(OSError):
                    # Another program may have emptied the file: it must not grow.
                    os.ftruncate(descriptor, min(size, os.fstat(descriptor).st_size))
                raise
            if not self._is_current(descriptor):
                # Whoever did that may have compressed the file before these lines were in it.
                return False
            if os.fstat(descriptor).st_size >= self._max_bytes:
                # The lines are stored, even if the file cannot be renamed.
                with contextlib.suppress(OSError):
                    self._rotate()
            return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file, locked against all other writers."""
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            descriptor = self._open_descriptor()
            self._wait_for(descriptor, deadline)
            try:
                if self._is_current(descriptor):
                    yield descriptor
                    return
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            # Another process has renamed the file in the meantime.
            self._close_descriptor()

    def _wait_for(self, descriptor: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(_POLL_SECONDS)
                    continue
                holder = name_holder(self._real)
                raise SinkError(
                    f"waited {_LOCK_SECONDS:g} s for the lock on {self._real}{holder}"
                ) from None
            return

    def _close_descriptor(self) -> None:
        # In this order: a child that is forked in between must not close the number again.
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            # A link stays, and the file to which it leads is renamed where that is.
            self._real = self._path.resolve()
            try:
                self._descriptor = os.open(
                    self._real, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
                )
            except OSError as error:
                raise SinkError(f"cannot open it: {error.strerror}") from error
            if self._fsync:
                self._sync_directory()
        return self._descriptor

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        full = list(self._full_files())
        # Greater than all others, even if the clock was set back.
        last = max((number for number, _ in full), default=0)
        self._last = max(time.time_ns() // 1000, last + 1, self._last + 1)
        self._real.rename(self._real.with_name(f"{self._real.name}.{self._last}"))
        if self._max_files is not None:
            # `full` does not hold the file that was just renamed.
            kept = sorted({number for number, _ in full}, reverse=True)[: self._max_files - 1]
            for number, path in full:
                if number not in kept and path.name == f"{self._real.name}.{number}":
                    path.unlink(missing_ok=True)
        if self._fsync:
            self._sync_directory()

    def _full_files(self) -> Iterator[tuple[int, Path]]:
        """The numbers and paths of full files, also of compressed ones, which end with `.gz`."""
        pattern = re.compile(re.escape(self._real.name) + r"\.([0-9]{16,})(\..+)?")
        for path in self._real.parent.iterdir():
            if found := pattern.fullmatch(path.name):
                yield int(found[1]), path

    def _sync_directory(self) -> None:
        directory = os.open(self._real.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _write(descriptor: int, lines: bytes) -> None:
    """Write all bytes; the system may take fewer at once."""
    left = memoryview(lines)
    while left:
        left = left[os.write(descriptor, left) :]
