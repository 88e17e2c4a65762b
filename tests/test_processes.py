"""What belongs to one process: forks, and the signals that end it."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

import unisights
from unisights._runtime.ending import TimeLeft
from unisights._runtime.fork import reset_in_children
from unisights._runtime.shutdown import drain_at_signal


class _Thing:
    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.is_reset = False
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        self.is_reset = True
        if self.fails:
            raise LookupError


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_object_is_reset_in_a_child() -> None:
    """Also if resetting another one fails; nothing is reset in the parent."""
    things = [_Thing(fails=number % 2 == 0) for number in range(6)]
    child = os.fork()
    if not child:
        os._exit(0 if all(thing.is_reset for thing in things) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not any(thing.is_reset for thing in things)


def test_there_is_one_hook_for_forks() -> None:
    """Whatever a fork concerns is registered in one place, so that nothing depends on an order."""
    users = [name for name, text in _texts().items() if "register_at_fork" in text]
    assert users == ["_runtime/fork.py"]


def test_connections_to_sqlite_files_are_closed_before_forks() -> None:
    """There is one place that connects, except for a command that never forks.

    Who connects by it without a `SQLiteConnection` does so for a moment, in the use of another one.
    """
    texts = _texts()
    assert {name for name, text in texts.items() if "sqlite3.connect(" in text} == {
        "_spool/repair.py",
        "_sqlite/connection.py",
    }
    users = {
        name: "SQLiteConnection(" in text
        for name, text in texts.items()
        if "_sqlite.connection import" in text and re.search(r"\bconnect\(", text)
    }
    assert users == {
        "_spool/connection.py": True,
        "_spool/rescue.py": False,
        "_spool/take_in.py": False,
        "sinks/_sqlite_database.py": True,
    }


def _texts() -> dict[str, str]:
    package = Path(unisights.__file__).parent
    return {
        path.relative_to(package).as_posix(): path.read_text(encoding="utf-8")
        for path in package.rglob("*.py")
    }


class _Nothing:
    """Holds nothing that would have to be drained."""

    drain_timeout = 1.0
    has_to_report = has_to_close = False

    def drain_at_signal(self, left: TimeLeft) -> None:
        """Do nothing."""

    def close(self, left: TimeLeft) -> None:
        """Do nothing."""

    def finish(self, left: TimeLeft) -> None:
        """Do nothing."""


def test_where_signals_cannot_be_handled_nothing_is_deferred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as in a subinterpreter, whose main thread is not the process's."""

    def refuse(_number: int, _handler: Any) -> None:
        raise ValueError("signal only works in main thread of the main interpreter")

    monkeypatch.setattr(signal, "signal", refuse)
    drain_at_signal(_Nothing())
