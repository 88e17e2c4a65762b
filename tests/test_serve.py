"""`unisights serve`, as a real process."""

import contextlib
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import (
    PYTHON,
    Process,
    peak_memory,
    post,
    process,
    read_to_end,
    read_until,
    stop,
)
from tests.support import CAPTURES, SESSION_ID, capture, click, make_body
from unisights._cli.main import main


@contextlib.contextmanager
def _serving(db: Path, *options: str) -> Iterator[tuple[Process, int, str]]:
    """A running server: its process, its port, and the banner that it printed."""
    command = [PYTHON, "-m", "unisights", "serve", "--port", "0", "--db", str(db), *options]
    with process(command) as child:
        banner = read_until(child, "Stop:")
        port = re.search(r"http://[^:]+:(\d+)/", banner)
        assert port is not None
        yield child, int(port[1]), banner


def _rows(db: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(db)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_a_payload_ends_up_in_sqlite(tmp_path: Path) -> None:
    """A posted payload is answered with its session, and is in the file, both times with it."""
    db = tmp_path / "events.sqlite3"
    before = time.time_ns() // 1_000_000
    with _serving(db) as (_, port, banner):
        assert str(db) in banner
        events = [
            click(timestamp=1000),
            {"type": "custom", "data": {"name": "signup", "data": "{}", "timestamp": 2000}},
        ]
        status, answer = post(port, make_body(events=events, utm_params={"utm_source": "x"}))
        assert status == 200
        assert SESSION_ID.encode() in answer
        # Read while the server runs: WAL lets readers in.
        (payload,) = _rows(
            db,
            "SELECT session_id, client_time, received_at, event_count,"
            " utm_params ->> 'utm_source', encrypted FROM payloads",
        )
    assert payload[:2] == (SESSION_ID, 2000)
    assert isinstance(payload[2], int)
    assert before <= payload[2] <= time.time_ns() // 1_000_000
    assert payload[3:] == (2, "x", 0)
    assert _rows(
        db, "SELECT type, name, client_time, session_id FROM events ORDER BY position"
    ) == [
        ("click", None, 1000, SESSION_ID),
        ("custom", "signup", 2000, SESSION_ID),
    ]
    assert _rows(db, "SELECT type, count(*) FROM events GROUP BY type ORDER BY type") == [
        ("click", 1),
        ("custom", 1),
    ]
    assert _rows(db, "PRAGMA journal_mode") == [("wal",)]


def test_the_printed_curl_line_works(tmp_path: Path) -> None:
    """The line in the banner can be pasted into a shell."""
    db = tmp_path / "events.sqlite3"
    with _serving(db) as (_, _, banner):
        (line,) = (line for line in banner.splitlines() if line.startswith("Send one"))
        command = line.partition(":")[2].strip()
        answer = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602  # as a person would
        assert "200 OK" in answer.stdout
    assert _rows(db, "SELECT type FROM events") == [("page_view",)]


def test_every_recorded_body_is_stored(tmp_path: Path) -> None:
    """The real server accepts every recorded body, and stores it with all its events."""
    db = tmp_path / "events.sqlite3"
    with _serving(db) as (child, port, _):
        for name in CAPTURES:
            assert post(port, capture(name))[0] == 200
        closing = stop(child)
        assert child.returncode == 0
    ((payloads, declared),) = _rows(db, "SELECT count(*), sum(event_count) FROM payloads")
    ((events,),) = _rows(db, "SELECT count(*) FROM events")
    assert payloads == len(CAPTURES)
    assert events == declared
    assert f"{payloads} payloads with {events} events" in closing


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_drains(tmp_path: Path, number: int) -> None:
    """On Ctrl-C or SIGTERM, a request that is under way is still answered and stored."""
    db = tmp_path / "events.sqlite3"
    with _serving(db) as (child, port, _):
        body = make_body()
        with socket.create_connection(("127.0.0.1", port)) as client:
            head = f"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body[:10])
            time.sleep(0.3)  # The server has the head, and waits for the rest.
            child.send_signal(number)
            time.sleep(0.3)
            client.sendall(body[10:])
            assert b"200 OK" in client.recv(4096)
        output = read_to_end(child)
        assert child.returncode == 0
        assert "Traceback" not in output
    assert _rows(db, "SELECT count(*) FROM payloads") == [(1,)]


def test_a_huge_stream_does_not_hurt(tmp_path: Path) -> None:
    """A chunked body of 300 MiB is answered 413, costs little memory, and others are served."""
    limit = 1024 * 1024
    with _serving(tmp_path / "events.sqlite3") as (child, port, _):
        post(port, make_body())
        before = peak_memory(child.pid)
        statuses: list[int] = []

        def serve_others() -> None:
            statuses.extend(post(port, make_body())[0] for _ in range(20))

        others = threading.Thread(target=serve_others)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(
                b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            others.start()
            chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
            for _ in range(300 * 16):
                client.sendall(chunk)
            client.sendall(b"0\r\n\r\n")
            assert b"413" in client.recv(4096)
        others.join()
        assert statuses == [200] * 20
        assert peak_memory(child.pid) - before < 3 * limit


def test_hostile_bodies_do_not_hurt(tmp_path: Path) -> None:
    """After hostile bodies of many kinds, the server still serves, and has printed no traceback."""
    with _serving(tmp_path / "events.sqlite3") as (child, port, _):
        for body in (
            b"",
            b"\x00",
            b"[" * 900_000,
            b'{"a":' * 180_000,
            b'{"data": NaN}',
            b"1" * 1_000_000,
            b'{"data":{"events":[' + b"{}," * 300_000 + b"{}]}}",
            b'{"data":{"utm_params":{' + b",".join(b'"k%d":1' % n for n in range(80_000)) + b"}}}",
            b'"' + b"\\ud800" * 150_000 + b'"',
        ):
            status, answer = post(port, body)
            assert status in {400, 422}
            assert b"Traceback" not in answer
        assert post(port, make_body())[0] == 200
        assert "Traceback" not in stop(child)


def test_a_listed_origin(tmp_path: Path) -> None:
    """--allow-origin allows the origins that it names, and no others."""
    options = ("--allow-origin", "https://a.example", "--allow-origin", "https://b.example")
    with _serving(tmp_path / "events.sqlite3", *options) as (_, port, _):
        for origin, expected in (("https://b.example", 200), ("https://c.example", 403)):
            assert post(port, make_body(), headers={"Origin": origin})[0] == expected


def test_a_taken_port_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The port's number and what to do are printed; the status is 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        db = str(tmp_path / "events.sqlite3")
        assert main(["serve", "--port", str(port), "--db", db]) == 1
    error = capsys.readouterr().err
    assert str(port) in error
    assert "--port" in error


@pytest.mark.parametrize("kind", ["directory", "text", "other-sqlite", "no-directory"])
def test_an_unusable_file_is_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """The file's name is printed, nothing in it is changed; the status is 1."""
    db = tmp_path / "thing"
    if kind == "directory":
        db.mkdir()
    elif kind == "text":
        db.write_text("not a database, but long enough to be looked at" * 100)
    elif kind == "other-sqlite":
        connection = sqlite3.connect(db)
        connection.execute("CREATE TABLE payloads (mine)")
        connection.close()
    else:
        db = tmp_path / "missing" / "thing"
    assert main(["serve", "--port", "0", "--db", str(db)]) == 1
    assert str(db) in capsys.readouterr().err
    if kind == "other-sqlite":
        assert _rows(db, "SELECT sql FROM sqlite_master") == [("CREATE TABLE payloads (mine)",)]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--allow-origin", "https://a.example/"], "allow_origins"),
        (["--path", "events"], "path"),
        (["--max-payload-size", "0"], "max_payload_size"),
    ],
)
def test_a_wrong_option_is_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    """The option is named before anything is started; the status is 2."""
    assert main(["serve", "--db", str(tmp_path / "x"), *arguments]) == 2
    assert named in capsys.readouterr().err


def test_a_port_out_of_range_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """A port number that does not exist is wrong usage: status 2."""
    with pytest.raises(SystemExit) as stopped:
        main(["serve", "--port", "99999"])
    assert stopped.value.code == 2
    assert "65535" in capsys.readouterr().err
