"""What is behind `unisights spool`."""

import base64
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from unisights._repair import repair_spool
from unisights._spool import Spool
from unisights.errors import StoreError

State = Literal["waiting", "dead"]

_encode = msgspec.json.Encoder().encode


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Spool]:
    with contextlib.closing(Spool(path.resolve(), must_exist=True)) as spool:
        yield spool


def print_stat(path: Path, *, as_json: bool) -> int:
    """Print what is in a spool; return the exit status."""
    with _opened(path) as spool:
        totals, owned, oldest = spool.totals(), spool.owned(), spool.oldest()
    shown: dict[str, Any] = {
        "waiting": totals.waiting,
        "waiting_bytes": totals.waiting_bytes,
        "owned": owned,
        "oldest_seconds": None if oldest is None else round(oldest, 3),
        "dead": totals.dead,
        "dead_bytes": totals.dead_bytes,
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
    """Print payloads as NDJSON, the first stored first; return the exit status."""
    with _opened(path) as spool:
        for state in states:
            for record in spool.records(state):
                raw: bytes = record.pop("raw")
                request = record.pop("request")
                body: dict[str, str]
                try:
                    body = {"body": raw.decode()}
                except UnicodeDecodeError:
                    body = {"body_base64": base64.b64encode(raw).decode()}
                line = {"state": state, **record, "request": msgspec.Raw(request.encode()), **body}
                sys.stdout.buffer.write(_encode(line) + b"\n")
        sys.stdout.flush()
    return 0


def retry(path: Path, ids: list[int] | None) -> int:
    """Let dead letters wait again; return the exit status."""
    with _opened(path) as spool, spool.transaction():
        count = spool.revive(ids)
    print(f"{count} dead letter{'' if count == 1 else 's'} will be tried again")
    if ids and count < len(set(ids)):
        raise StoreError(f"{len(set(ids)) - count} of the ids are no dead letters of {path}")
    return 0


def repair(path: Path) -> int:
    """Repair a spool if need be; return the exit status: 1 if something could not be saved."""
    done = repair_spool(path.resolve())
    if done.was_intact:
        print(f"{path} is intact: {done.saved} payloads")
        return 0
    of = "an unknown number" if done.expected is None else str(done.expected)
    print(f"{path} was corrupt: {done.saved} of {of} payloads were saved")
    print(f"the corrupt file was kept as {done.kept}")
    return 0 if done.expected is not None and done.saved >= done.expected else 1
