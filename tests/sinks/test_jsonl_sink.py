"""The file sink: rotation, torn lines, full disks, several processes."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.processes import PYTHON
from tests.sinks.places import Place, jsonl_place, store
from tests.support import ROOT, make_body
from unisights import UnisightsPayload, decode_unisights_payload
from unisights.errors import ConfigurationError, SinkError
from unisights.sinks import Batch, JSONLinesSink


def _payloads(count: int) -> list[UnisightsPayload]:
    return [decode_unisights_payload(make_body(asset_id=f"a{number}")) for number in range(count)]


def test_full_files_are_kept_and_not_touched(jsonl_at: Place, tmp_path: Path) -> None:
    """Full files are numbered, the oldest first; nothing is lost between them."""
    sink = jsonl_at.make(max_bytes=2000, batch=Batch(max_payloads=1))
    store(sink, _payloads(20))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert "events.jsonl.1" in files
    assert len(files) > 3
    assert len(jsonl_at.read()) == 20
    first = (tmp_path / "events.jsonl.1").read_bytes()
    store(sink, _payloads(5))
    assert (tmp_path / "events.jsonl.1").read_bytes() == first


def test_the_oldest_full_files_are_deleted(jsonl_at: Place, tmp_path: Path) -> None:
    """Only the newest `max_files` full files are kept."""
    sink = jsonl_at.make(max_bytes=1, max_files=3, batch=Batch(max_payloads=1))
    store(sink, _payloads(10))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "events.jsonl.10",
        "events.jsonl.8",
        "events.jsonl.9",
    ]


def test_a_torn_line_spoils_no_other(jsonl_at: Place, tmp_path: Path) -> None:
    """Half a line, left by a crash, stays a line of its own."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"content_id":"half')
    store(jsonl_at.make(), _payloads(2))
    half, *whole = path.read_text().splitlines()
    assert half == '{"content_id":"half'
    assert [json.loads(line)["data"]["asset_id"] for line in whole] == ["a0", "a1"]


FULL_DISK = """\
import asyncio, resource, sys
from tests.sinks.places import store
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights.errors import SinkError
from unisights.sinks import JSONLinesSink

payload = decode_unisights_payload(make_body())
sink = JSONLinesSink(sys.argv[1], fsync=True)
assert store(sink, [payload]) == [None]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 10000))
(error,) = store(sink, [payload])
assert isinstance(error, SinkError), error
assert sys.argv[1] in str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
assert store(sink, [payload]) == [None]
"""


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """A line that does not fit is removed and its payload fails; with room again, it goes on."""
    path = tmp_path / "events.jsonl"
    finished = subprocess.run(
        [PYTHON, "-c", FULL_DISK, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2


MANY = """\
import sys
from tests.sinks.places import store
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights.sinks import Batch, JSONLinesSink

payloads = [
    decode_unisights_payload(make_body(asset_id=f"{sys.argv[2]}-{number}")) for number in range(200)
]
sink = JSONLinesSink(sys.argv[1], max_bytes=20_000, batch=Batch(max_payloads=7))
assert store(sink, payloads) == [None] * 200
"""


def test_processes_share_a_file(tmp_path: Path) -> None:
    """Four processes that write and rotate at once lose no line and mix none up."""
    place = jsonl_place(tmp_path)
    path = str(tmp_path / "events.jsonl")
    children = [
        subprocess.Popen([PYTHON, "-c", MANY, path, str(number)], cwd=ROOT) for number in range(4)
    ]
    assert [child.wait(60) for child in children] == [0] * 4
    found = place.read()
    assert len(found) == 800
    assert len({one.content_id for one in found}) == 800
    assert len(list(tmp_path.iterdir())) > 5


@pytest.mark.parametrize("name", ["", "missing/events.jsonl"])
def test_an_unusable_file_is_a_clear_error(tmp_path: Path, name: str) -> None:
    """A path that cannot be opened is named, by `open` and by each payload."""
    sink = JSONLinesSink(tmp_path / name)
    with pytest.raises(SinkError, match="cannot open it"):
        asyncio.run(sink.open())
    (error,) = store(sink, _payloads(1))
    assert str(tmp_path) in str(error)


@pytest.mark.parametrize("options", [{"max_bytes": 0}, {"max_files": 0}])
def test_a_wrong_option_is_refused(tmp_path: Path, options: dict[str, int]) -> None:
    """A bound that is out of range is refused when the sink is made."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        JSONLinesSink(tmp_path / "x", **options)
