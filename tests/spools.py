"""What the tests of the spool share."""

import sqlite3
from pathlib import Path

from tests.support import SESSION_ID, make_body
from unisights import UnisightsOptions
from unisights._schema.content_id import digest
from unisights._spool.rejections import RejectionRow
from unisights._spool.rows import NewRow
from unisights._spool.store import Spool
from unisights._spool.stored_requests import read_request, write_request
from unisights.collector import Collector
from unisights.request import RequestInfo

REQUEST = write_request(
    RequestInfo(method="POST", path="/events", headers={"x-trace": "abc"}, client="192.0.2.7")
)


def new_row(label: str = "site-1", session_id: str | None = SESSION_ID) -> NewRow:
    """A payload to be stored."""
    raw = make_body(asset_id=label)
    return NewRow(raw, REQUEST, 1_760_000_000_000, session_id, digest(raw))


def rejected_row(raw: bytes, quarantined: list[int] | None = None) -> RejectionRow:
    """What is kept of a body that was refused, or of which events were quarantined."""
    info = read_request(REQUEST, 1_760_000_000_000)
    collector = Collector(
        UnisightsOptions(on_reject=print, invalid_events="quarantine" if quarantined else "reject")
    )
    buffer = collector.buffer(info)
    buffer.add(raw)
    rejection = collector.decide(info, buffer).rejection
    assert rejection is not None
    assert list(rejection.quarantined) == (quarantined or [])
    return RejectionRow.of(rejection)


def fill(path: Path, count: int, *, dead: int = 0) -> None:
    """Make a spool with so many payloads, the first of which are dead letters."""
    spool = Spool(path)
    with spool.transaction():
        ids = spool.insert([new_row(f"site-{n}") for n in range(count)], [0] * count)
        for row in spool.claim(9, rows=dead, size=10**9) if dead else []:
            spool.dead_letter(9, row.id, error="LookupError: no such place")
    assert len(ids) == count
    spool.close()


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Query a spool behind its back."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.commit()
        connection.close()


def close_spool(path: Path) -> None:
    """Close whatever this process has opened of a spool, as the end of the process would."""
    from unisights._delivery.spool_runner import runners

    for runner in list(runners):
        if runner.path == path:
            runner.close(5.0)
