"""Another process, which is stopped inside a transaction until it may go on."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.processes import PYTHON, process, read_until

IN_SPOOL = """\
import sys
from pathlib import Path
from unisights._spool.store import Spool

with Spool(Path(sys.argv[1])).transaction():
    print("inside", flush=True)
    sys.stdin.readline()
print("outside", flush=True)
"""
"""A process of the same package."""

IN_SQLITE = """\
import sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("inside", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("outside", flush=True)
"""
"""Another program, or another process of a `SQLiteSink`."""

IN_RESCUE = """\
import glob, os, sys
from pathlib import Path
from unisights._spool import rescue
from unisights._spool.store import Spool

copy, path = rescue._copy, Path(sys.argv[1])

def wait(*given):
    print("inside", flush=True)
    sys.stdin.readline()
    copy(*given)

rescue._copy = wait
spool = Spool(path)
for file in glob.glob(f"{path}*"):
    if "-owner-" not in file and not file.endswith("-lock"):
        os.unlink(file)
with spool.transaction():
    pass
print("outside", flush=True)
"""
"""A process of the same package, which takes along what removed files hold."""

IN_MIGRATION = """\
import sys
from dataclasses import replace
from pathlib import Path
from unisights._spool import connection, set_up
from unisights._spool.store import Spool
from unisights._sqlite import versions

def wait(database, script):
    print("inside", flush=True)
    sys.stdin.readline()

versions._run = wait
old = set_up.FORMAT
set_up.FORMAT = connection.FORMAT = replace(
    old, version=old.version + 1, migrations={old.version: ""}
)
Spool(Path(sys.argv[1])).close()
print("outside", flush=True)
"""
"""A process of a later version, which migrates the file."""


class Stopped:
    """A process that is stopped.

    Attributes:
        holds: how messages name it after the lock, where the system tells who holds a lock.
    """

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.holds = f", which process {child.pid} holds" if Path("/proc/locks").exists() else ""
        os.kill(child.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on, and wait until its transaction has ended."""
        os.kill(self._child.pid, signal.SIGCONT)
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        read_until(self._child.stdout, "outside")

    def kill(self) -> None:
        """End it, stopped as it is."""
        self._child.kill()
        self._child.wait()


@contextlib.contextmanager
def stopped(path: Path, script: str = IN_SPOOL) -> Iterator[Stopped]:
    """Stop a process inside a transaction on a file; it is killed when this ends."""
    with process([PYTHON, "-c", script, str(path)], stdin=subprocess.PIPE) as child:
        read_until(child.stdout, "inside")
        yield Stopped(child)
