"""The file sink: rotation, torn lines, full disks, several processes."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import PYTHON, run_python
from tests.sinks.places import Place, jsonl_place, store
from tests.support import ROOT, make_body
from unisights import UnisightsPayload, decode_unisights_payload
from unisights.errors import ConfigurationError, SinkError
from unisights.sinks import Batch, JSONLinesSink, jsonl


def _payloads(count: int) -> list[UnisightsPayload]:
    return [decode_unisights_payload(make_body(asset_id=f"a{number}")) for number in range(count)]


def _full(directory: Path) -> list[Path]:
    """The full files, the oldest first."""
    return sorted(directory.glob("events.jsonl.*"), key=lambda path: int(path.suffix[1:]))


def test_full_files_are_kept_and_not_touched(jsonl_at: Place, tmp_path: Path) -> None:
    """Full files are numbered, the oldest first; nothing is lost between them."""
    before = time.time_ns() // 1000
    sink = jsonl_at.make(max_bytes=2000, batch=Batch(max_payloads=1))
    store(sink, _payloads(20))
    full = _full(tmp_path)
    assert len(full) > 2
    assert before <= int(full[0].suffix[1:]) <= int(full[-1].suffix[1:])
    assert [one.content_id for one in jsonl_at.read()] == [one.content_id for one in _payloads(20)]
    first = full[0].read_bytes()
    store(sink, _payloads(5))
    assert full[0].read_bytes() == first


def test_the_oldest_full_files_are_deleted(jsonl_at: Place, tmp_path: Path) -> None:
    """Only the newest `max_files` full files are kept."""
    sink = jsonl_at.make(max_bytes=1, max_files=3, batch=Batch(max_payloads=1))
    store(sink, _payloads(10))
    assert len(list(tmp_path.iterdir())) == 3
    last = [one.content_id for one in _payloads(10)[-3:]]
    assert [one.content_id for one in jsonl_at.read()] == last


def test_a_clock_that_is_set_back_loses_nothing(
    jsonl_at: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next number is greater than all others."""
    sink = jsonl_at.make(max_bytes=1, batch=Batch(max_payloads=1))
    store(sink, _payloads(2))
    monkeypatch.setattr("time.time_ns", lambda: 1_600_000_000 * 10**9)
    store(sink, _payloads(5)[2:])
    assert [one.content_id for one in jsonl_at.read()] == [one.content_id for one in _payloads(5)]


def _labels(*files: Path) -> list[str]:
    """What lines of files hold, compressed or not."""
    found = []
    for file in files:
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        found += [json.loads(line)["data"]["asset_id"] for line in text.splitlines()]
    return sorted(found)


@pytest.mark.parametrize("is_moved", [False, True])
def test_full_files_may_be_compressed(tmp_path: Path, is_moved: bool) -> None:
    """Or moved elsewhere, as by logrotate: no later one gets a name that was used before."""
    path, archive = tmp_path / "events.jsonl", tmp_path / "archive"
    archive.mkdir()
    sink = JSONLinesSink(path, max_bytes=1, max_files=2, batch=Batch(max_payloads=1))
    for payload in _payloads(40):
        store(sink, [payload])
        for full in tmp_path.glob("events.jsonl.*[0-9]"):
            target = (archive if is_moved else tmp_path) / f"{full.name}.gz"
            target.write_bytes(gzip.compress(full.read_bytes()))
            full.unlink()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert _labels(*files) == sorted(f"a{number}" for number in range(40))


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Those who use the link and those who use the file rotate the same one, where it is."""
    there = tmp_path / "there"
    there.mkdir()
    path, link = there / "events.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(path)
    sinks = [JSONLinesSink(one, max_bytes=1) for one in (link, path)]
    for number, payload in enumerate(_payloads(40)):
        store(sinks[number % 2], [payload])
    assert link.readlink() == path
    assert {*tmp_path.iterdir()} == {there, link}
    assert _labels(*there.iterdir()) == sorted(f"a{number}" for number in range(40))
    assert len(list(there.iterdir())) > 5


def test_a_link_may_lead_elsewhere_later(tmp_path: Path) -> None:
    """As after a deployment: the next line is where it leads by then."""
    link = tmp_path / "events.jsonl"
    sink = JSONLinesSink(link)
    first, second = _payloads(2)

    async def main() -> None:
        link.symlink_to(tmp_path / "one")
        await sink(first, None)
        link.unlink()
        link.symlink_to(tmp_path / "two")
        await sink(second, None)
        await sink.close()

    asyncio.run(main())
    assert [_labels(tmp_path / name) for name in ("one", "two")] == [["a0"], ["a1"]]


@pytest.mark.parametrize("name", [None, "events.jsonl.1"])
def test_a_file_that_goes_away_during_a_write_confirms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    """The line is written again, to a new file, whether the old one was removed or moved."""
    path = tmp_path / "events.jsonl"
    write = jsonl._write
    written: list[bytes] = []

    def remove_and_write(descriptor: int, lines: bytes) -> None:
        if not written:
            path.rename(tmp_path / name) if name else path.unlink()
        written.append(lines)
        write(descriptor, lines)

    monkeypatch.setattr(jsonl, "_write", remove_and_write)
    assert store(JSONLinesSink(path), _payloads(1)) == [None]
    assert _labels(path) == ["a0"]
    assert len(written) == 2


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
    finished = run_python(FULL_DISK, str(path))
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


FORKED = """\
import os, signal, stat, sys, threading, time
from tests.sinks.places import store
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights.sinks import JSONLinesSink

payload = decode_unisights_payload(make_body())
sink = JSONLinesSink(sys.argv[1], fsync=True)
is_writing, may_go_on = threading.Event(), threading.Event()
real_fsync = os.fsync

def slow_fsync(descriptor):
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        is_writing.set()
        may_go_on.wait()
    real_fsync(descriptor)

os.fsync = slow_fsync
writer = threading.Thread(target=store, args=(sink, [payload]))
writer.start()
is_writing.wait()
pid = os.fork()
os.fsync = real_fsync
if sys.argv[2] == "parent goes on":
    if pid == 0:
        os._exit(0 if store(sink, [payload]) == [None] else 1)
    may_go_on.set()
    writer.join()
    deadline = time.monotonic() + 20
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            sys.exit("the child hangs")
        time.sleep(0.02)
    sys.exit(ended[1])
elif pid == 0:
    time.sleep(60)
    os._exit(0)
else:
    print(pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_child_forked_during_a_write_can_write(tmp_path: Path) -> None:
    """A fork while another thread writes leaves the child a sink that works."""
    path = tmp_path / "events.jsonl"
    finished = run_python(FORKED, str(path), "parent goes on")
    assert finished.returncode == 0, finished.stderr
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2


def test_a_child_keeps_no_lock_of_its_parent(tmp_path: Path) -> None:
    """If the parent is killed while it writes, others can write while the child lives on."""
    path = tmp_path / "events.jsonl"
    parent = subprocess.Popen(
        [PYTHON, "-c", FORKED, str(path), "parent ends"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        parent.wait(60)
        assert run_python(MANY, str(path), "other").returncode == 0
    finally:
        os.kill(child, signal.SIGKILL)
        parent.stdout.close()


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


HOLDS = """\
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_stopped_process_that_holds_the_lock_is_named(
    jsonl_at: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payloads fail in bounded time, the sink can be closed, and it goes on afterwards."""
    monkeypatch.setattr(jsonl, "_LOCK_SECONDS", 0.1)
    path = tmp_path / "events.jsonl"
    path.touch()
    sink = jsonl_at.make()
    with subprocess.Popen(
        [PYTHON, "-c", HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.send_signal(signal.SIGSTOP)
        try:
            errors = asyncio.run(_bounded(sink, _payloads(1)[0]))
        finally:
            holder.kill()
    assert errors == [
        f"{path}: waited 0.1 s for the lock on {path}, which process {holder.pid} holds"
    ]
    assert store(sink, _payloads(1)) == [None]
    assert len(path.read_bytes().splitlines()) == 1


async def _bounded(sink: JSONLinesSink, payload: UnisightsPayload) -> list[str]:
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(sink(payload, None), return_exceptions=True)
        await sink.close()
    return [str(outcome) for outcome in outcomes]


def test_a_thread_that_hangs_is_waited_for_within_bounds(
    jsonl_at: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread of the process may hang while it writes."""
    monkeypatch.setattr(jsonl, "_LOCK_SECONDS", 0.1)
    sink = jsonl_at.make()
    with sink._file._lock:
        errors = asyncio.run(_bounded(sink, _payloads(1)[0]))
    assert errors == [
        f"{tmp_path / 'events.jsonl'}: waited 0.1 s for another thread that writes to the file"
    ]


def test_a_failed_write_does_not_enlarge_a_file_that_was_emptied(
    jsonl_at: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As logrotate's copytruncate does, between the begin of the write and its failure."""
    path = tmp_path / "events.jsonl"
    sink = jsonl_at.make()
    assert store(sink, _payloads(3)) == [None] * 3

    def fail(descriptor: int, _lines: bytes) -> None:
        os.ftruncate(descriptor, 0)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(jsonl, "_write", fail)
        (error,) = store(sink, _payloads(1))
    assert isinstance(error, SinkError)
    assert path.read_bytes() == b""
    assert store(sink, _payloads(1)) == [None]
    assert json.loads(path.read_bytes())


def test_a_relative_path_stays_when_the_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to the directory in which the sink was made: daemons change theirs."""
    monkeypatch.chdir(tmp_path)
    sink = JSONLinesSink("events.jsonl")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert store(sink, _payloads(1)) == [None]
    assert (tmp_path / "events.jsonl").stat().st_size
