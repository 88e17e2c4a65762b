"""Rejected records in the spool: kept within bounds, listed, and validated again."""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.spools import REQUEST, fill, query, rejected_row
from tests.support import SESSION_ID, click, make_body, make_data, seal
from unisights import SCHEMA_VERSION, decode_unisights_payload
from unisights._cli.main import main
from unisights._decoding.fast_path import decode_selected
from unisights._decoding.quarantine import Selection
from unisights._schema.content_id import digest
from unisights._spool.rejections import RejectionRow
from unisights._spool.replay import replay
from unisights._spool.store import Spool

GOOD = make_body(events=[click(x=0), click(x=1), click(x=2)])
MIXED = make_body(events=[click(x=0), {"type": "swipe"}, click(x=2)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a spool may be made."""
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    """An empty spool."""
    with contextlib.closing(Spool(path)) as made:
        yield made


def _reject(spool: Spool, *rows: RejectionRow, max_bytes: int = 10**9) -> None:
    with spool.transaction():
        spool.rejections.insert(rows, max_bytes=max_bytes)


def _valid(raw: bytes, quarantined: list[int] | None = None) -> RejectionRow:
    """A record of a body that is valid by now, as after a change of the schema."""
    refused = replace(rejected_row(b"{}"), raw=raw, content_id=digest(raw))
    return replace(refused, quarantined=json.dumps(quarantined or []))


def _waiting(spool: Spool) -> list[Any]:
    return list(spool.reports.payloads("waiting"))


def _events(record: dict[str, Any]) -> list[Any]:
    """What the handler gets of a payload that waits."""
    left_out = record["quarantined"]
    selection = None if left_out is None else Selection.without(json.loads(left_out))
    if selection is None:
        payload = decode_unisights_payload(record["raw"])
    else:
        payload = decode_selected(record["raw"], selection).payload
    return [event.data.x for event in payload.data.events]  # type: ignore[union-attr]


# Keeping.


def test_what_is_stored_is_read_again(spool: Spool) -> None:
    """Every column as it was; numbers are no payload's, and the totals are true."""
    first, second = rejected_row(b"{"), rejected_row(MIXED, [1])
    _reject(spool, first, second)
    assert list(spool.rejections.read()) == [(1, first), (2, second)]
    assert list(spool.rejections.read([2, 9])) == [(2, second)]
    assert (spool.totals().rejected, spool.totals().rejected_bytes) == (
        2,
        first.size + second.size,
    )
    assert (first.reason, first.status, first.indexes) == ("invalid_json", 400, [])
    assert (second.reason, second.status, second.indexes) == ("invalid_events", None, [1])
    assert first.size > len(first.raw) + len(REQUEST)


def test_any_number_is_read(spool: Spool) -> None:
    """More than are read at a time, in the order in which they came."""
    _reject(spool, *(rejected_row(b"%d" % n) for n in range(200)))
    assert [row.raw for _, row in spool.rejections.read()] == [b"%d" % n for n in range(200)]


def test_the_oldest_are_dropped(spool: Spool) -> None:
    """Once there is no room for them; never the latest, however large it is."""
    rows = [rejected_row(b"%03d{" % n) for n in range(200)]
    size = rows[0].size
    for row in rows:
        _reject(spool, row, max_bytes=3 * size)
    assert [row.raw for _, row in spool.rejections.read()] == [b"197{", b"198{", b"199{"]
    assert spool.totals().rejected_bytes == 3 * size
    large = rejected_row(b"{" * 10_000)
    _reject(spool, large, max_bytes=3 * size)
    assert [row for _, row in spool.rejections.read()] == [large]
    _reject(spool, *rows, max_bytes=3 * size)
    assert spool.totals().rejected == 3


# Replaying.


def test_what_is_valid_by_now_waits(spool: Spool) -> None:
    """The body as received, once, with its own time and identity; the rest stays as it was."""
    _reject(spool, rejected_row(b"{"), _valid(GOOD), rejected_row(MIXED))
    before = dict(spool.rejections.read())
    done = replay(spool)
    assert (done.replayed, done.left) == (1, 2)
    (record,) = _waiting(spool)
    assert record["raw"] == GOOD
    assert (record["received_at"], record["session_id"]) == (1_760_000_000_000, SESSION_ID)
    assert (record["content_id"], record["request"]) == (digest(GOOD), REQUEST)
    assert record["quarantined"] is None
    assert dict(spool.rejections.read()) == {1: before[1], 3: before[3]}
    assert replay(spool).replayed == 0
    assert len(_waiting(spool)) == 1


@pytest.mark.parametrize("form", ["plain", "encrypted"])
def test_of_a_quarantined_body_its_events_wait(spool: Spool, form: str) -> None:
    """Only those that were quarantined and are valid: the others were delivered at the time."""
    data = make_data(events=[click(x=0), click(x=1), {}, click(x=3)], unknown="kept")
    sent = {"data": data} if form == "plain" else seal(json.dumps(data).encode())
    _reject(spool, _valid(json.dumps(sent).encode(), [1, 2]))
    assert replay(spool).replayed == 1
    (record,) = _waiting(spool)
    assert json.loads(record["raw"]) == {
        "data": {**data, "events": [click(x=1)]},
        "encrypted": False,
    }
    assert record["content_id"] == digest(record["raw"])
    assert record["received_at"] == 1_760_000_000_000
    ((row_id, left),) = spool.rejections.read()
    assert (row_id, left.indexes, left.schema_version) == (1, [2], SCHEMA_VERSION)
    assert [problem["event"] for problem in json.loads(left.problems)] == [2]
    assert replay(spool).replayed == 0
    assert len(_waiting(spool)) == 1


def test_of_a_refused_body_the_valid_events_wait_if_asked(spool: Spool) -> None:
    """As if it had been quarantined at the time; the others stay."""
    _reject(spool, rejected_row(MIXED), rejected_row(b"{}"))
    assert replay(spool, quarantines=True).replayed == 1
    (record,) = _waiting(spool)
    assert record["raw"] == MIXED
    assert _events(record) == [0, 2]
    left = dict(spool.rejections.read())
    assert (left[1].indexes, left[1].status, left[1].reason) == ([1], None, "invalid_events")
    assert replay(spool, quarantines=True).replayed == 0


def test_a_secret_that_was_missing(spool: Spool) -> None:
    """What could not be decrypted is replayed once its secret is given."""
    sealed = json.dumps(seal(json.dumps(make_data()).encode(), server_secret="s")).encode()
    _reject(spool, rejected_row(sealed))
    assert replay(spool).replayed == 0
    assert replay(spool, server_secret="s").replayed == 1
    assert _waiting(spool)[0]["raw"] == sealed


def test_numbers_that_nobody_reads(spool: Spool) -> None:
    """A number that no double can hold, in a property without a name, is no way to fail."""
    body = make_body(events=[click(x=0), {**click(x=1), "unknown": "@"}]).replace(b'"@"', b"1e999")
    _reject(spool, _valid(body, [1]))
    assert replay(spool).replayed == 1
    assert json.loads(_waiting(spool)[0]["raw"])["data"]["events"][0]["unknown"] is None


def test_two_replays_at_once(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other one has moved meanwhile is not moved again."""
    _reject(spool, _valid(GOOD), _valid(GOOD))
    with contextlib.closing(Spool(spool.path)) as other:
        read = other.rejections.read

        def read_and_be_late(ids: Any = None) -> Any:
            rows = list(read(ids))
            replay(spool)
            return rows

        monkeypatch.setattr(other.rejections, "read", read_and_be_late)
        assert replay(other).replayed == 0
    assert len(_waiting(spool)) == 2


# The command.


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["spool", *arguments]) == 0
    return capsys.readouterr().out


def test_listing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each record: its number, its time, what it is, and the first thing wrong."""
    fill(path, 2, dead=1)
    with contextlib.closing(Spool(path)) as spool:
        _reject(
            spool,
            rejected_row(MIXED, [1]),
            rejected_row(make_body(utm_params={"a\n\x1b[31m": 5})),
        )
    lines = [
        re.split(r"  +", line.strip()) for line in _run(capsys, "list", str(path)).splitlines()
    ]
    assert [line[0] for line in lines] == ["2", "1", "3", "4"]
    assert {line[1] for line in lines} == {"2025-10-09T08:53:20.000Z"}
    assert [line[2] for line in lines] == ["waiting", "dead", "rejected", "rejected"]
    assert [line[3] for line in lines[:2]] == ["-", "LookupError: no such place"]
    assert lines[2][3].startswith("invalid_events (1 event): data.events[1].type must be one of")
    # What a sender chose does not get to the terminal as it is.
    assert lines[3][3].startswith(r"invalid_payload: data.utm_params.a\n\x1b[31m must be a string")
    assert len(_run(capsys, "list", "--rejected", str(path)).splitlines()) == 2


def test_exporting(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `Rejection.to_dict` has it, with the record's number and identity."""
    with contextlib.closing(Spool(path)) as spool:
        _reject(spool, rejected_row(MIXED, [1]), rejected_row(b"\xff"))
    first, second = map(json.loads, _run(capsys, "export", "--rejected", str(path)).splitlines())
    assert first["problems"][0]["event"] == 1
    del first["problems"]
    assert first == {
        "state": "rejected",
        "id": 1,
        "received_at": 1_760_000_000_000,
        "content_id": digest(MIXED),
        "reason": "invalid_events",
        "status": None,
        "schema_version": SCHEMA_VERSION,
        "quarantined": [1],
        "request": json.loads(REQUEST),
        "body": MIXED.decode(),
    }
    assert second["body_base64"] == "/w=="


def test_replaying(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All records or those that are named; a number that is none of them is a failure."""
    sealed = json.dumps(seal(json.dumps(make_data()).encode(), server_secret="s")).encode()
    with contextlib.closing(Spool(path)) as spool:
        _reject(spool, _valid(GOOD), _valid(GOOD), rejected_row(MIXED), rejected_row(sealed))
    printed = _run(capsys, "replay", "--id", "2", "--id", "3", str(path))
    assert printed == "1 rejected record will be delivered\n1 still holds what is invalid\n"
    assert query(path, "SELECT id FROM rejected") == [(1,), (3,), (4,)]
    assert main(["spool", "replay", "--id", "2", str(path)]) == 1
    assert "no rejected records" in capsys.readouterr().err
    monkeypatch.setenv("UNISIGHTS_SERVER_SECRET", "s")
    printed = _run(capsys, "replay", "--invalid-events", "quarantine", str(path))
    assert printed == "3 rejected records will be delivered\n1 still holds what is invalid\n"
    assert query(path, "SELECT count(*) FROM waiting") == [(4,)]
    assert query(path, "SELECT id, quarantined FROM rejected") == [(3, "[1]")]


def test_stat_counts_them(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In number and bytes."""
    row = rejected_row(b"{")
    with contextlib.closing(Spool(path)) as spool:
        _reject(spool, row)
    found = json.loads(_run(capsys, "stat", "--format", "json", str(path)))
    assert (found["rejected"], found["rejected_bytes"]) == (1, row.size)


def test_they_are_repaired_too(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be read of a corrupt spool is saved with its number; what is unsound is not."""
    fill(path, 60, dead=1)
    rows = [rejected_row(b"{%d" % n) for n in range(20)]
    with contextlib.closing(Spool(path)) as spool:
        _reject(spool, *rows)
    assert "intact: 80 records" in _run(capsys, "repair", str(path))
    query(path, "UPDATE rejected SET raw = CAST('{}' AS BLOB) WHERE id = 70")
    assert main(["spool", "repair", str(path)]) == 1
    assert "79 of 80 records were saved" in capsys.readouterr().out
    with contextlib.closing(Spool(path)) as spool:
        saved = dict(spool.rejections.read())
        assert saved == {row_id: row for row_id, row in enumerate(rows, 61) if row_id != 70}
        _reject(spool, rejected_row(b"["))
        assert max(dict(spool.rejections.read())) == 81


def test_an_older_spool_is_not_repaired(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its tables are others: nothing of it would be read, and it would be put aside."""
    fill(path, 1)
    query(path, "PRAGMA user_version = 1")
    assert main(["spool", "repair", str(path)]) == 1
    assert "an older version of unisights" in capsys.readouterr().err
    assert main(["spool", "stat", str(path)]) == 1
    assert "an older version" in capsys.readouterr().err
