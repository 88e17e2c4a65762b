"""The SQLite sink as a handler, with threads and odd payloads."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import CAPTURES, capture, click, make_body, make_data, seal
from unisights import decode_unisights_payload
from unisights.sinks import SQLiteSink
from unisights.validator import Checks


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """The path of a file that does not exist yet."""
    return tmp_path / "events.sqlite3"


@pytest.fixture
def sink(db: Path) -> Iterator[SQLiteSink]:
    """A sink that is closed afterwards."""
    made = SQLiteSink(db)
    yield made
    made.close()


def _rows(db: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(db)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("name", CAPTURES)
def test_what_is_stored_can_be_decoded_again(sink: SQLiteSink, db: Path, name: str) -> None:
    """The body is kept byte for byte, and every event's data as the JSON it decodes to."""
    payload = decode_unisights_payload(capture(name))
    sink(payload, None)
    ((raw,),) = _rows(db, "SELECT raw FROM payloads")
    assert decode_unisights_payload(raw) == payload
    stored = [
        json.loads(text) for (text,) in _rows(db, "SELECT data FROM events ORDER BY position")
    ]
    assert stored == [event.data.to_dict() for event in payload.data.events]


def test_threads_share_a_sink(sink: SQLiteSink, db: Path) -> None:
    """Payloads stored from many threads at once are all there, each with its own events."""
    payloads = [
        decode_unisights_payload(make_body(events=[click(timestamp=number)] * 3))
        for number in range(100)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda payload: sink(payload, None), payloads))
    assert _rows(db, "SELECT count(*), count(DISTINCT payload_id) FROM events") == [(300, 100)]
    assert _rows(
        db,
        "SELECT count(*) FROM payloads JOIN events ON payload_id = payloads.id"
        " AND events.client_time = payloads.client_time",
    ) == [(300,)]


def test_two_sinks_share_a_file(sink: SQLiteSink, db: Path) -> None:
    """Several processes may store into one file: a second sink opens it as it is."""
    sink(decode_unisights_payload(make_body()), None)
    other = SQLiteSink(db)
    other(decode_unisights_payload(make_body()), None)
    other.close()
    sink(decode_unisights_payload(make_body()), None)
    assert _rows(db, "SELECT count(*) FROM payloads") == [(3,)]


def test_a_closed_sink_opens_again(sink: SQLiteSink, db: Path) -> None:
    """A payload that comes after the end of a server's life is not lost."""
    sink.close()
    sink(decode_unisights_payload(make_body()), None)
    assert _rows(db, "SELECT count(*) FROM payloads") == [(1,)]


def test_odd_values_are_stored(sink: SQLiteSink, db: Path) -> None:
    """NUL, emoji, lone surrogates, huge timestamps, no events: nothing of it breaks the store."""
    title = {"type": "page_view", "data": {"location": "\x00é🎉", "timestamp": 1e300}}
    body = make_body(asset_id="a\x00b", events=[title]).replace(b"a\\u0000b", b"a\\u0000\\ud800b")
    sink(decode_unisights_payload(body), None)
    sink(decode_unisights_payload(make_body()), None)
    assert _rows(db, "SELECT asset_id, client_time FROM payloads") == [
        ("a\x00\ufffdb", 2**53 - 1),
        ("site-1", None),
    ]


def test_unchecked_values_are_stored(sink: SQLiteSink, db: Path) -> None:
    """With validation off, columns take what fits them, and JSON of the rest."""
    body = make_body(
        asset_id=["list"], page_url=10**30, events=[click(timestamp={"no": 1}), click()]
    )
    sink(decode_unisights_payload(body, checks=Checks(values=False, required=False)), None)
    assert _rows(db, "SELECT asset_id, page_url, client_time FROM payloads") == [
        ('["list"]', str(10**30), 3)
    ]


def test_how_it_came_is_kept(sink: SQLiteSink, db: Path) -> None:
    """An encrypted payload's row says so, and holds the ciphertext as its raw body."""
    body = json.dumps(seal(json.dumps(make_data()).encode())).encode()
    sink(decode_unisights_payload(body), None)
    assert _rows(db, "SELECT encrypted, raw FROM payloads") == [(1, body)]
