"""Sixteen processes that open a place at once, which none of them has made yet."""

from pathlib import Path

import pytest

from tests.processes import run_python
from tests.sinks.places import Place
from tests.spools import query

COUNT = 16
ROUNDS = 3

# Everything is imported before the fork, so that the children begin at the same moment: all of them
# wait for the end of one pipe.
RACE = """\
import importlib, os, sys, traceback
from pathlib import Path

from tests.sinks.places import store
from tests.spools import new_row
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights._spool.store import Spool
from unisights.sinks._url_schemes import sink_from_url

url, count, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def spool(where, label):
    made = Spool(Path(where.removeprefix("spool:")))
    with made.transaction():
        made.insert([new_row(label)], [0])
    made.close()


def sink(where, label):
    (error,) = store(sink_from_url(where), [decode_unisights_payload(make_body(asset_id=label))])
    if error is not None:
        raise error


use = spool if url.startswith("spool:") else sink
if use is sink:
    sink_from_url(url.format(0))  # imports what it needs
failed = 0
for number in range(rounds):
    reader, writer = os.pipe()
    children = []
    for child in range(count):
        pid = os.fork()
        if pid:
            children.append(pid)
            continue
        os.close(writer)
        os.read(reader, 1)
        try:
            use(url.format(number), f"{number}-{child}")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writer)
    os.close(reader)
    failed += sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
sys.exit(f"{failed} failed" if failed else 0)
"""


def _race(url: str, rounds: int = ROUNDS) -> None:
    done = run_python(RACE, url, str(COUNT), str(rounds), timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("kind", ["spool", "sqlite"])
def test_a_sqlite_file(tmp_path: Path, kind: str) -> None:
    """One process makes it, and the others wait for that."""
    _race(f"{kind}:{tmp_path}/{{}}")
    for number in range(ROUNDS):
        assert query(tmp_path / str(number), "SELECT count(*) FROM payloads") == [(COUNT,)]


def test_a_file_of_lines(tmp_path: Path) -> None:
    """Also when it is full at once, so that each process rotates it."""
    _race(f"jsonl:{tmp_path}/{{}}?max_bytes=1")
    for number in range(ROUNDS):
        files = list(tmp_path.glob(f"{number}.*"))
        assert sum(len(file.read_text().splitlines()) for file in files) == COUNT


def test_postgres(postgres_at: Place) -> None:
    """One process makes the schema and the tables."""
    _race(postgres_at.url, 1)
    assert len(postgres_at.read()) == COUNT
