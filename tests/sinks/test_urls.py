"""From a URL to a sink, on the command line and off it."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PYTHON, post, process, read_until, run_python, stop
from tests.sinks.places import Place
from tests.support import CAPTURES, capture
from unisights._cli.main import main
from unisights.errors import ConfigurationError
from unisights.sinks import JSONLinesSink, KafkaSink, PostgresSink, RedisStreamSink, SQLiteSink
from unisights.sinks._url_schemes import sink_from_url


def test_serve_stores_to_each_sink(place: Place) -> None:
    """`unisights serve --sink` stores every recorded body, and says where and how many."""
    with process([PYTHON, "-m", "unisights", "serve", "--port", "0", "--sink", place.url]) as child:
        banner = read_until(child, "Stop:")
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", banner)
        assert found is not None
        for name in CAPTURES:
            assert post(int(found[1]), capture(name))[0] == 200
        closing = stop(child)
        assert child.returncode == 0
    assert f"{len(CAPTURES)} payloads with" in closing
    assert len(place.read()) == len({capture(name) for name in CAPTURES})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://x/y", "must be one of sqlite:///FILE"),
        ("events.jsonl", "must be one of"),
        ("jsonl:", "must be jsonl:///FILE"),
        ("jsonl:x?max_files=many", "max_files cannot be 'many'"),
        ("jsonl:x?max_files=0", "max_files must be"),
        ("kafka://host:9092", "must be kafka://HOST:9092/TOPIC"),
        ("redis://h/0?maxlen=0", "maxlen must be"),
        ("postgresql://[::1/x", "dsn must be"),
        ("postgresql://h/x?nonsense=1", "dsn must be"),
    ],
)
def test_a_wrong_url_is_a_clear_error(
    url: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong with a URL is said before anything is started; the status is 2."""
    assert main(["serve", "--port", "0", "--sink", url]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hush@127.0.0.1:1/x",
        "redis://:hush@127.0.0.1:1/0",
        "kafka://127.0.0.1:1/topic",
        "jsonl:/nowhere/events.jsonl",
        "sqlite:////nowhere/x.sqlite3",
    ],
)
def test_an_unreachable_destination_is_a_clear_error(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A destination that cannot be used is named at the start, without its password; status 1."""
    assert main(["serve", "--port", "0", "--sink", url]) == 1
    error = capsys.readouterr().err
    assert "127.0.0.1:1" in error or "/nowhere/" in error
    assert "hush" not in error


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [
        ("postgresql://h/x", "psycopg", "postgres"),
        ("redis://h/0", "redis", "redis"),
        ("kafka://h:1/x", "confluent_kafka", "kafka"),
    ],
)
def test_a_missing_extra_is_a_clear_error(url: str, library: str, extra: str) -> None:
    """A sink without its client says what to install: on the command line, and when imported."""
    blocked = f"import sys; sys.modules[{library!r}] = None\n"
    names = {"postgres": "PostgresSink", "redis": "RedisStreamSink", "kafka": "KafkaSink"}
    for code in (
        f"from unisights._cli.main import main\nsys.exit(main(['serve', '--sink', {url!r}]))",
        f"import unisights.sinks\nfrom unisights.sinks import {names[extra]}",
    ):
        finished = run_python(blocked + code)
        assert finished.returncode == 1
        assert f"pip install 'unisights[{extra}]'" in finished.stderr.splitlines()[-1]


def test_importing_loads_no_client() -> None:
    """Neither the package nor its sinks load a client library before one is asked for."""
    code = (
        "import sys, unisights, unisights.asgi, unisights.sinks, unisights._cli.main\n"
        "from unisights.sinks import SQLiteSink, JSONLinesSink, Batch\n"
        "print([m for m in ('psycopg', 'redis', 'confluent_kafka') if m in sys.modules])"
    )
    finished = run_python(code, check=True)
    assert finished.stdout.strip() == "[]"


def test_paths_are_relative_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes and a name are a file here; a fourth begins at the root."""
    monkeypatch.chdir(tmp_path)
    for scheme, sink in (("sqlite", SQLiteSink), ("jsonl", JSONLinesSink)):
        for make in (sink_from_url, sink.from_url):
            assert make(f"{scheme}:///x").location == str(tmp_path / "x")
            assert make(f"{scheme}:////tmp/x").location == "/tmp/x"  # noqa: S108  # never made
            assert make(f"{scheme}:x").location == str(tmp_path / "x")
    with pytest.raises(ConfigurationError):
        sink_from_url("sqlite://")


@pytest.mark.parametrize(
    ("sink", "url", "form"),
    [
        (SQLiteSink, "jsonl:x", "must be sqlite:///FILE"),
        (SQLiteSink, "sqlite:a%00b", "must be sqlite:///FILE"),
        (JSONLinesSink, "jsonl:a%00b", "must be jsonl:///FILE"),
        (JSONLinesSink, "sqlite:x", "must be jsonl:///FILE"),
        (JSONLinesSink, "jsonl:x?fsync=maybe", "fsync cannot be 'maybe'"),
        (PostgresSink, "kafka://h:9092/x", "dsn must be a postgresql:// URL"),
        (RedisStreamSink, "kafka://h:9092/x", "redis://"),
        (KafkaSink, "redis://me:hush@h/0", "must be kafka://HOST:9092/TOPIC"),
    ],
)
def test_each_sink_says_which_url_it_takes(sink: Any, url: str, form: str) -> None:
    """The URL of another sink is refused with the form that is wanted, without its password."""
    with pytest.raises(ConfigurationError, match=re.escape(form)) as raised:
        sink.from_url(url)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "location", "command"),
    [
        (
            "postgresql://me:hush@h/x?schema=shop&connect_timeout=3",
            "postgresql://me:***@h/x?connect_timeout=3 schema shop",
            (
                "psql 'postgresql://me:***@h/x?connect_timeout=3' -c "
                """'SELECT type, count(*) FROM "shop".events GROUP BY type'"""
            ),
        ),
        (
            "redis://:hush@h/0?maxlen=5&approximate=0",
            "redis://:***@h/0 stream unisights",
            "redis-cli -u 'redis://:***@h/0' XREVRANGE unisights + - COUNT 1",
        ),
        ("kafka://h:1,i:2/t", "kafka://h:1,i:2/t", "kcat -C -b h:1,i:2 -t t -o -1 -c 1"),
        ("jsonl:////a b", "/a b", "tail '/a b'"),
        (
            "sqlite:////a",
            "/a",
            "sqlite3 /a 'SELECT type, count(*) FROM events GROUP BY type'",
        ),
    ],
)
def test_what_a_person_is_shown(url: str, location: str, command: str) -> None:
    """A sink says where it stores and how to look there, without passwords."""
    sink = sink_from_url(url)
    assert (sink.location, sink.inspect_command) == (location, command)
