"""`unisights spool`: prints, exports, retries, replays, drops and repairs what a spool holds."""

import contextlib
import io
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from unisights._spool.drop import drop as drop_records
from unisights._spool.repair import repair_spool
from unisights._spool.replay import replay as replay_rejected
from unisights._spool.reports import State
from unisights._spool.store import Spool
from unisights.errors import StoreError
from unisights.rejection import describe_body

_encode = msgspec.json.Encoder().encode


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Spool]:
    with contextlib.closing(Spool(path.resolve(), must_exist=True)) as spool:
        yield spool


def print_stat(path: Path, *, as_json: bool) -> int:
    """Print what is in a spool; return the exit status."""
    with _opened(path) as spool:
        totals = spool.totals()
        owned, oldest = spool.reports.count_owned(), spool.reports.longest_wait()
    shown: dict[str, Any] = {
        "waiting": totals.waiting,
        "waiting_bytes": totals.waiting_bytes,
        "owned": owned,
        "oldest_seconds": None if oldest is None else round(oldest, 3),
        "dead": totals.dead,
        "dead_bytes": totals.dead_bytes,
        "rejected": totals.rejected,
        "rejected_bytes": totals.rejected_bytes,
        "stored": totals.stored,
        "commits": totals.commits,
        "rows_per_commit": round(totals.stored / totals.commits, 2) if totals.commits else None,
    }
    if as_json:
        print(_encode(shown).decode())
    else:
        for name, value in shown.items():
            print(f"{name.replace('_', ' '):16} {'-' if value is None else value}")
    return 0


def export(path: Path, states: list[State]) -> int:
    """Print records as NDJSON, the first stored first; return the exit status."""
    with _opened(path) as spool:
        for state in states:
            _write(sys.stdout.buffer, spool, state)
        sys.stdout.flush()
    return 0


def _write(
    output: BinaryIO, spool: Spool, state: State, ids: Collection[int] | None = None
) -> None:
    for record in _records(spool, state, ids):
        body = describe_body(record.pop("raw"))
        # These are stored as JSON already.
        for key in ("problems", "quarantined", "request"):
            if key in record:
                record[key] = msgspec.Raw((record[key] or "[]").encode())
        output.write(_encode({"state": state, **record, **body}) + b"\n")


def print_list(path: Path, states: list[State]) -> int:
    """Print a line for each record, with why it is there; return the exit status."""
    with _opened(path) as spool:
        for state in states:
            for record in _records(spool, state):
                came = datetime.fromtimestamp(record["received_at"] / 1000, UTC)
                time = came.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                print(f"{record['id']:>8}  {time}  {state:8}  {_printable(_why(record))}")
    return 0


def _records(
    spool: Spool, state: State, ids: Collection[int] | None = None
) -> Iterator[dict[str, Any]]:
    if state != "rejected":
        yield from spool.reports.payloads(state, ids)
        return
    for row_id, row in spool.rejections.read(ids):
        yield {
            "id": row_id,
            "received_at": row.received_at,
            "content_id": row.content_id,
            "reason": row.reason,
            "status": row.status,
            "schema_version": row.schema_version,
            "problems": row.problems,
            "quarantined": row.quarantined,
            "request": row.request,
            "raw": row.raw,
        }


def _why(record: dict[str, Any]) -> str:
    """Why a payload failed or a body was rejected, on one line."""
    if "problems" not in record:
        error: str = record["error"] or "-"
        return error
    reason: str = record["reason"]
    problems = msgspec.json.decode(record["problems"])
    count = len(msgspec.json.decode(record["quarantined"]))
    events = f" ({count} event{'' if count == 1 else 's'})" if count else ""
    first = problems[0]["message"] if problems else "-"
    return f"{reason}{events}: {first}"


def _printable(text: str) -> str:
    """Escape what a terminal might obey: parts of the text come from senders."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def retry(path: Path, ids: list[int] | None) -> int:
    """Make dead letters wait for delivery again; return the exit status."""
    with _opened(path) as spool, spool.transaction():
        count = spool.retry_dead(ids)
    print(f"{count} dead letter{'' if count == 1 else 's'} will be retried")
    if ids and count < len(set(ids)):
        raise StoreError(f"{len(set(ids)) - count} of the ids are no dead letters of {path}")
    return 0


def replay(
    path: Path, ids: list[int] | None, *, server_secret: str | None, quarantines: bool
) -> int:
    """Validate rejected records again, and deliver what is valid; return the exit status."""
    with _opened(path) as spool:
        if ids is not None:
            missing = set(ids) - {row_id for row_id, _ in spool.rejections.read(ids)}
            if missing:
                raise StoreError(f"{len(missing)} of the ids are no rejected records of {path}")
        done = replay_rejected(spool, ids, server_secret=server_secret, quarantines=quarantines)
    print(f"{done.replayed} rejected record{'' if done.replayed == 1 else 's'} will be delivered")
    print(f"{done.left} still hold{'s' if done.left == 1 else ''} what is invalid")
    return 0


_NAMES: dict[State, str] = {
    "waiting": "waiting payload",
    "dead": "dead letter",
    "rejected": "rejected record",
}


def drop(path: Path, states: list[State], ids: list[int] | None, *, export_to: Path | None) -> int:
    """Delete records for good; return the exit status."""
    with _opened(path) as spool:
        found = {state: spool.reports.ids(state, ids) for state in states}
        missing = set(ids or ()) - {row_id for of_state in found.values() for row_id in of_state}
        if missing:
            names = " or ".join(f"{_NAMES[state]}s" for state in states)
            raise StoreError(
                f"{_ranges(sorted(missing))}: no {names} of {path}; nothing was dropped"
            )
        dropped = 0
        with _export_file(export_to) as output:
            for state in states:

                def keep(chunk: Sequence[int], state: State = state) -> None:
                    if output is not None and export_to is not None:
                        _export(output, export_to, spool, state, chunk)

                done = drop_records(spool, state, found[state], keep)
                dropped += len(done.ids)
                plural = "" if len(done.ids) == 1 else "s"
                which = f": {_ranges(done.ids)}" if done.ids else ""
                print(f"dropped {len(done.ids)} {_NAMES[state]}{plural}{which}")
                if done.owned:
                    print(
                        f"a running process had {done.owned} of them in its memory, and may "
                        "deliver them nevertheless"
                    )
    if export_to is not None:
        print(f"their content is in {export_to}")
    left = sum(len(of_state) for of_state in found.values()) - dropped
    if left:
        changed = f"{left} of the records changed meanwhile and were not dropped"
        if ids is not None:
            raise StoreError(f"{changed}; see: unisights spool list {path}")
        print(f"{changed}; they may have been delivered")
    return 0


def _export(output: BinaryIO, path: Path, spool: Spool, state: State, ids: Sequence[int]) -> None:
    """Write records to a file at `path`, and wait until the disk has them."""
    lines = io.BytesIO()
    _write(lines, spool, state, ids)
    with _explained(path):
        output.write(lines.getvalue())
        output.flush()
        os.fsync(output.fileno())


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise StoreError if an export cannot be written."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot export to {path}: {error.strerror}; the rest stays") from error


@contextlib.contextmanager
def _export_file(path: Path | None) -> Iterator[BinaryIO | None]:
    """A new file that only its user can read: it holds bodies and cookies."""
    if path is None:
        yield None
        return
    with _explained(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    output = os.fdopen(descriptor, "wb")
    try:
        yield output
    finally:
        with _explained(path):
            output.close()


def _ranges(ids: list[int]) -> str:
    """Return numbers in ascending order as ranges, such as `1-3, 7`; at most twenty of them."""
    ranges: list[list[int]] = []
    for row_id in ids:
        if ranges and row_id == ranges[-1][1] + 1:
            ranges[-1][1] = row_id
        else:
            ranges.append([row_id, row_id])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:20]]
    return ", ".join([*shown, *["…"][: len(ranges) > 20]])


def repair(path: Path) -> int:
    """Repair a spool if it is corrupt; return the exit status: 1 if something was lost."""
    done = repair_spool(path.resolve())
    if done.was_intact:
        print(f"{path} is intact: {done.saved} records")
        return 0
    of = "an unknown number" if done.expected is None else str(done.expected)
    print(f"{path} was corrupt: {done.saved} of {of} records were saved")
    print(f"the corrupt file was kept as {done.kept}")
    return 0 if done.expected is not None and done.saved >= done.expected else 1
