"""Forks with open files: what a child or its parent acknowledges stays, whoever ends first."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.processes import DEADLINE, run_python
from tests.spools import query
from unisights._runtime import fork

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

STORES = '''\
import itertools, os, sys, threading
from tests.endpoints import serve
from tests.options import make_options
from tests.support import make_body
from unisights import Inline, decode_unisights_payload
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._runtime.callers import ON_LOOP
from unisights._runtime.event_loop import shared_loop
from unisights.sinks import SQLiteSink

def fail(payload, info):
    raise LookupError

class Spool:
    """Keeps what it is sent, as its handler always fails."""

    def __init__(self, path):
        options = make_options(delivery="durable", handler=fail, spool=path, pause=600)
        self.endpoint = SyncEndpoint(options, Inline())

    def store(self, label):
        return serve(self.endpoint, make_body(asset_id=label)).status == 202

    def close(self):
        self.endpoint.delivery.close()

class Sink:
    def __init__(self, path):
        self.sink = SQLiteSink(path)

    def store(self, label):
        payload = decode_unisights_payload(make_body(asset_id=label))
        try:
            shared_loop().run(ON_LOOP.call(self.sink, payload, None))
        except Exception as error:
            print("not stored:", error, file=sys.stderr)
            return False
        return True

    def close(self):
        shared_loop().run(ON_LOOP.call(self.sink.close))

kind, path = sys.argv[1:3]
store = {"spool": Spool, "sink": Sink}[kind](path)

numbers = itertools.count()

def store_some(label, count):
    labels = [f"{label}-{os.getpid()}-{next(numbers)}" for _ in range(count)]
    return sum(map(store.store, labels))

def tell(text):
    os.write(1, f"{text}\\n".encode())

def wait(child):
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
'''

SCENARIOS = {
    "the parent closes while the child stores": """\
tell(store_some("parent", 3))
closed, close = os.pipe()
begun, begin = os.pipe()
if not (child := os.fork()):
    tell(store_some("before", 3))
    os.write(begin, b"x")
    os.read(closed, 1)
    tell(store_some("after", 20))
    os._exit(0)
os.read(begun, 1)
store.close()
os.write(close, b"x")
wait(child)
""",
    "the child closes while the parent stores": """\
tell(store_some("parent", 3))
if not (child := os.fork()):
    tell(store_some("child", 3))
    store.close()
    os._exit(0)
tell(store_some("meanwhile", 20))
wait(child)
tell(store_some("after", 3))
os._exit(0)
""",
    "children of children, none of which closes": """\
tell(store_some("parent", 1))
for depth in range(3):
    if child := os.fork():
        break
    tell(store_some(f"depth-{depth}", 3))
if child:
    wait(child)
tell(store_some("after", 3))
os._exit(0)
""",
    "other threads fork while payloads are stored": """\
store.store("first") and tell(1)
stopping = threading.Event()

def go_on():
    count = 0
    while not stopping.is_set():
        count += store.store(f"on-{count}")
        stopping.wait(0.002)
    tell(count)

def fork():
    for number in range(5):
        if not (child := os.fork()):
            tell(store_some(f"child-{number}", 3))
            os._exit(0)
        wait(child)

storing = threading.Thread(target=go_on)
forking = [threading.Thread(target=fork) for _ in range(2)]
for thread in (storing, *forking):
    thread.start()
for thread in forking:
    thread.join()
stopping.set()
storing.join()
store.close()
""",
    "multiprocessing": """\
import multiprocessing
tell(store_some("parent", 3))
with multiprocessing.get_context("fork").Pool(2) as pool:
    tell(sum(pool.starmap(store_some, [(f"child-{n}", 3) for n in range(4)])))
    tell(store_some("meanwhile", 3))
    # To terminate it, as the end of this block does, hangs now and then.
    pool.close()
    pool.join()
store.close()
""",
    "Celery's pool": """\
import billiard
tell(store_some("parent", 3))
with billiard.get_context("fork").Pool(2, maxtasksperchild=2) as pool:
    tell(sum(pool.starmap(store_some, [(f"child-{n}", 3) for n in range(4)])))
    tell(store_some("meanwhile", 3))
    pool.close()
    pool.join()
store.close()
""",
    "subprocesses with and without preexec_fn": """\
import subprocess
for number in range(3):
    tell(store_some("parent", 2))
    subprocess.run(["true"], check=True)
    subprocess.run(["true"], check=True, preexec_fn=lambda: None)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, preexec_fn=os.setsid) as child:
        tell(store_some("parent", 2))
store.close()
""",
    "a hundred endpoints": """\
stores = [type(store)(path) for _ in range(100)]
tell(sum(other.store(f"parent-{number}") for number, other in enumerate(stores)))
if not (child := os.fork()):
    tell(sum(other.store(f"child-{number}") for number, other in enumerate(stores[:9])))
    os._exit(0)
wait(child)
tell(sum(other.store(f"after-{number}") for number, other in enumerate(stores[:9])))
os._exit(0)
""",
}

IN_USE = """\
import logging
from contextlib import ExitStack
from unisights._runtime import fork
fork.FORK_SECONDS = fork._CLOSE_SECONDS = 0.2
logging.basicConfig(format="%(event)s: %(message)s")

def guards():
    return [guard for guard in fork._forks.guards if guard.is_open]

assert store.store("parent")
(guard,) = guards()
"""

USED = "another thread had been using or closing it for "

UNCLOSED = {
    "another thread uses the file for ever": (
        USED,
        """\
entered, leave = threading.Event(), threading.Event()

def hang():
    with guard.use():
        entered.set()
        leave.wait()

thread = threading.Thread(target=hang)
thread.start()
entered.wait()
if not (child := os.fork()):
    os._exit(0 if not store.store("child") else 1)
wait(child)
leave.set()
thread.join()
""",
    ),
    "another thread opens the file for ever": (
        USED,
        """\
guard.close()
connect = guard._connect
entered, leave = threading.Event(), threading.Event()

def hang():
    entered.set()
    leave.wait()
    return connect()

guard._connect = hang
thread = threading.Thread(target=guard.open)
thread.start()
entered.wait()
if not (child := os.fork()):
    os._exit(0 if not store.store("child") else 1)
wait(child)
leave.set()
thread.join()
""",
    ),
    "the file is being closed for ever": (
        USED,
        """\
leave = threading.Event()
guard._disconnect = lambda connection: (leave.wait(), connection.close())
if not (child := os.fork()):
    os._exit(0 if not store.store("child") else 1)
wait(child)
leave.set()
""",
    ),
    "closing the file fails": (
        "it could not be closed: no such disk",
        """\
close = guard._disconnect

def fail(connection):
    guard._disconnect = close
    raise OSError("no such disk")

guard._disconnect = fail
if not (child := os.fork()):
    os._exit(0 if not store.store("child") else 1)
wait(child)
""",
    ),
    "a signal interrupts the fork": (
        USED,
        """\
import signal
fork.FORK_SECONDS = 60

class Interrupt(Exception):
    pass

def interrupt(number, frame):
    raise Interrupt

def hang():
    with guard.use():
        entered.set()
        leave.wait()

entered, leave = threading.Event(), threading.Event()
thread = threading.Thread(target=hang)
thread.start()
entered.wait()
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.3)
if not (child := os.fork()):
    os._exit(0 if not store.store("child") else 1)
wait(child)
leave.set()
thread.join()
""",
    ),
    "the thread that forks uses the file": (
        "the thread that forked was using it",
        """\
with guard.use():
    if not (child := os.fork()):
        os._exit(0 if not store.store("child") else 1)
    wait(child)
""",
    ),
}


def _run(script: str, *arguments: str) -> list[str]:
    """Run a script to its end; return the lines that it and its children have printed."""
    return _finish(script, *arguments).stdout.split()


def _finish(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    ignoring = "import warnings; warnings.simplefilter('ignore')\n"
    finished = run_python(ignoring + script, *arguments, timeout=2 * DEADLINE)
    assert finished.returncode == 0, finished.stderr
    return finished


@pytest.mark.parametrize("kind", ["spool", "sink"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_was_acknowledged_around_forks_is_stored(
    scenario: str, kind: str, tmp_path: Path
) -> None:
    """Everything that parent and children have acknowledged is in the file in the end."""
    if scenario == "Celery's pool":
        pytest.importorskip("billiard")
    path = tmp_path / "file.sqlite3"
    acknowledged = sum(map(int, _run(STORES + SCENARIOS[scenario], kind, str(path))))
    assert query(path, "SELECT count(*) FROM payloads") == [(acknowledged,)]
    sent = {"the parent closes while the child stores": 26}.get(scenario, 10)
    assert acknowledged >= sent


@pytest.mark.parametrize("kind", ["spool", "sink"])
@pytest.mark.parametrize("case", UNCLOSED)
def test_a_child_refuses_what_could_not_be_closed_before_the_fork(
    case: str, kind: str, tmp_path: Path
) -> None:
    """It acknowledges nothing that would be lost, and the fork does not wait for ever.

    The log says so on both sides; the parent goes on.
    """
    path = tmp_path / "file.sqlite3"
    why, script = UNCLOSED[case]
    goes_on = 'assert store.store("after")\nstore.close()\n'
    finished = _finish(STORES + IN_USE + script + goes_on, kind, str(path))
    assert query(path, "SELECT count(*) FROM payloads") == [(2,)]
    assert f"fork_unsafe: the process was forked with {path} open, as {why}" in finished.stderr
    assert (
        f"this process was forked while its parent had the file open, as {why}" in finished.stderr
    )


GUARD = """\
import os, threading
from unisights._runtime import fork

class Guard(fork.ForkGuard):
    is_open = True

    def close_before_fork(self): self.is_open = False
    def tell_of_fork(self, why): pass
    def abandon_in_child(self, reason): pass

hanging, leave = Guard(), threading.Event()

def hang():
    with hanging.use():
        entered.set()
        leave.wait()

def fork_once():
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)

entered = threading.Event()
threading.Thread(target=hang, daemon=True).start()
entered.wait()
forks = threading.Event()
os.register_at_fork(before=forks.set)
forking = threading.Thread(target=fork_once)
"""

HANGS_ELSEWHERE = """\
fork.FORK_SECONDS = 60
assert store.store("before")
forking.start()
forks.wait()
assert all(store.store(f"meanwhile-{number}") for number in range(3))
assert forking.is_alive()
# The next fork does not wait again for what has hung for so long.
hanging._since -= 60
fork_once()
leave.set()
forking.join()
store.close()
"""


@pytest.mark.parametrize("kind", ["spool", "sink"])
def test_a_file_that_hangs_keeps_no_other_file_from_being_used(kind: str, tmp_path: Path) -> None:
    """While a fork waits for one file, payloads are stored in the others."""
    path = tmp_path / "file.sqlite3"
    _finish(STORES + GUARD + HANGS_ELSEWHERE, kind, str(path))
    assert query(path, "SELECT count(*) FROM payloads") == [(4,)]


HANGS_WHEN_CLOSED = """\
fork._CLOSE_SECONDS = 0.5
others = [type(store)(f"{path}-{number}") for number in range(4)]
assert all(other.store("parent") for other in others)
hanging.close_before_fork = threading.Event().wait
leave.set()
with hanging.use():
    pass
if not (child := os.fork()):
    os._exit(0 if all(other.store("child") for other in others) else 1)
wait(child)
os._exit(0)
"""


def test_a_file_that_hangs_when_it_is_closed_is_the_only_one_that_a_child_loses(
    tmp_path: Path,
) -> None:
    """The others are closed before the fork, and the child uses them."""
    _finish(STORES + GUARD + HANGS_WHEN_CLOSED, "sink", str(tmp_path / "file.sqlite3"))


HOOKS = """\
import sys
from concurrent.futures import ThreadPoolExecutor
for module in sys.argv[1:]:
    __import__(module)
fork.FORK_SECONDS = 60
executor = ThreadPoolExecutor()
forking.start()
forks.wait()
running = threading.Thread(target=lambda: executor.submit(int).result(), daemon=True)
running.start()
running.join(20)
assert not running.is_alive()
leave.set()
forking.join()
"""


def test_a_fork_that_waits_does_not_hold_the_locks_of_the_standard_library() -> None:
    """Executors, and with them event loops, run on; their own hooks are called afterwards."""
    _finish(GUARD + HOOKS, "unisights.fastapi", "unisights.flask")


LOCK_IN_FORK = """\
from pathlib import Path
from tests.processes import wait_for
from unisights._sqlite.file_lock import FileLock

assert store.store("before")
leave.set()
writer = store.endpoint.delivery._runner.running.writer
sibling = FileLock(Path(path + "-lock"))
sibling.acquire()
storing = threading.Thread(target=store.store, args=("waits",))
storing.start()
wait_for(lambda: writer._progress._lock is not None, "the wait for the lock")
forking.start()
closed.wait()
sibling.release()
wait_for(lambda: writer._progress._lock is None, "the end of the wait")
wait_for(sibling.try_acquire, "the lock")
sibling.release()
wait_for(lambda: "for a fork of this process" in str(writer._progress.error()), "the reason")
goes_on.set()
storing.join()
forking.join()
store.close()
"""

CLOSED = """\
import os, threading
closed, goes_on = threading.Event(), threading.Event()

def stay_closed():
    closed.set()
    goes_on.wait()

os.register_at_fork(before=stay_closed)
"""
"""A hook that is registered before this package's is called after it."""


def test_siblings_do_not_wait_for_a_fork(tmp_path: Path) -> None:
    """Whoever gets the lock of the spool during a fork releases it until the fork is done."""
    path = tmp_path / "file.sqlite3"
    _finish(CLOSED + STORES + GUARD + LOCK_IN_FORK, "spool", str(path))
    assert query(path, "SELECT count(*) FROM payloads") == [(2,)]


IMPORTS = """\
class Finder:
    def find_spec(name, *rest):
        imported.append(name)

imported = []
assert store.store("parent")
sys.meta_path.insert(0, Finder)
if not (child := os.fork()):
    os._exit(len(imported))
wait(child)
store.close()
"""


def test_nothing_is_imported_in_a_child_before_the_fork_returns(tmp_path: Path) -> None:
    """If another thread of the parent was importing the same, it would wait for ever."""
    _finish(STORES + IMPORTS, "spool", str(tmp_path / "file.sqlite3"))


def test_requests_wait_until_a_child_that_no_hook_was_called_in_has_begun_anew() -> None:
    """The child is known as such only once all objects were reset."""
    forks = fork._Forks()
    known: list[bool] = []

    class Thing:
        def reset_after_fork(self) -> None:
            known.append(forks.process == os.getpid())

    thing = Thing()
    forks.objects.add(thing)
    forks.process = 0
    forks.notice()
    assert known == [False]
    assert forks.process == os.getpid()


UNHOOKED = """\
import logging, time, weakref
from unisights import Background, UnisightsOptions
from unisights._runtime.fork import _forks

handled = []
options = UnisightsOptions(
    handler=lambda payload, request: handled.append(payload.data.asset_id),
    delivery=Background(drain_timeout=1),
)
background = SyncEndpoint(options, Inline())

def handles(label):
    assert serve(background, make_body(asset_id=label)).status == 202
    deadline = time.monotonic() + 30
    while label not in handled and time.monotonic() < deadline:
        time.sleep(0.01)
    return label in handled

logged = threading.Event()

class Note(logging.Handler):
    def emit(self, record):
        logged.set()

for handler in (logging.StreamHandler(), Note()):
    logging.getLogger("unisights").addHandler(handler)
assert store.store("parent") and handles("parent")
# Its first attempt has failed by then: no other thread writes to stderr while this one forks.
assert logged.wait(30)
# A fork by C code would hang in the interpreter, now and then, where threads run.
known = _forks.guards, _forks.objects, _forks.process
_forks.guards, _forks.objects = weakref.WeakSet(), weakref.WeakSet()
child = os.fork()
_forks.guards, _forks.objects, _forks.process = known
if not child:
    status = serve(store.endpoint, make_body(asset_id="child")).status
    os._exit(0 if status == 503 and handles("child") else 1)
wait(child)
assert store.store("after") and handles("after")
store.close()
"""


def test_a_fork_that_no_hook_is_told_of(tmp_path: Path) -> None:
    """A child begins anew with its first request, and refuses the spool that is open in it."""
    path = tmp_path / "file.sqlite3"
    finished = _finish(STORES + UNHOOKED, "spool", str(path))
    assert query(path, "SELECT count(*) FROM payloads") == [(2,)]
    assert "does not call the hooks of os.register_at_fork" in finished.stderr


LOST = """\
import glob
removed = sys.argv[3:]
tell(store_some("parent", 3))
for end in removed:
    for file in glob.glob(path + end):
        os.unlink(file)
if not (child := os.fork()):
    tell(store_some("child", 3))
    os._exit(0)
wait(child)
tell(store_some("after", 3))
store.close()
"""


@pytest.mark.parametrize(
    ("kind", "removed"),
    [
        ("spool", ["*"]),
        ("spool", [""]),
        ("spool", ["-wal"]),
        ("sink", ["-wal"]),
        ("sink", ["-shm"]),
    ],
)
def test_a_fork_while_files_are_lost(kind: str, removed: list[str], tmp_path: Path) -> None:
    """What the files hold is saved before they are closed: nobody could read it afterwards."""
    path = tmp_path / "file.sqlite3"
    assert _run(STORES + LOST, kind, str(path), *removed) == ["3", "3", "3"]
    assert query(path, "SELECT count(*) FROM payloads") == [(9,)]


REPLACED = """\
tell(store_some("parent", 3))
if not (child := os.fork()):
    os.rename(path, path + "-moved")
    tell(store_some("child", 3))
    os._exit(0)
wait(child)
tell(store_some("after", 3))
store.close()
"""


@pytest.mark.parametrize("kind", ["spool", "sink"])
def test_a_file_that_is_moved_before_a_child_opens_it(kind: str, tmp_path: Path) -> None:
    """Parent and child go on with the same new file, and the old one is complete."""
    path = tmp_path / "file.sqlite3"
    assert _run(STORES + REPLACED, kind, str(path)) == ["3", "3", "3"]
    moved = Path(f"{path}-moved")
    assert query(moved, "SELECT count(*) FROM payloads") == [(3,)]
    assert query(path, "SELECT count(*) FROM payloads") == [(6,)]


LOCKED = """\
from unisights._runtime import fork
from unisights._spool import connection
from unisights._sqlite.file_lock import FileLock
fork.FORK_SECONDS = fork._CLOSE_SECONDS = 1.0
connection.LOCK_SECONDS = 0.2
tell(store_some("parent", 3))
for end in ("", "-wal", "-shm"):
    os.unlink(path + end)
lock = FileLock(connection.Path(path + "-lock"))
lock.acquire()
if not (child := os.fork()):
    os._exit(0)
wait(child)
lock.release()
tell(store_some("after", 3))
store.close()
"""


def test_a_fork_waits_briefly_for_another_process_to_save_lost_files(tmp_path: Path) -> None:
    """It forks all the same, and the parent saves them later."""
    path = tmp_path / "file.sqlite3"
    assert _run(STORES + LOCKED, "spool", str(path)) == ["3", "3"]
    assert query(path, "SELECT count(*) FROM payloads") == [(6,)]
