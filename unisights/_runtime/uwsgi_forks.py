"""Forks of uWSGI, which forks its workers without the hooks of Python's own `os.fork`."""

import importlib
import sys
from collections.abc import Callable
from typing import Any


def call_after_fork(function: Callable[[], None]) -> None:
    """Call a function in each process that uWSGI forks, where this process is one of uWSGI's."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return
    try:
        # uWSGI has one hook. This module of its own shares it, but needs a master process.
        chain = importlib.import_module("uwsgidecorators").postfork_chain
    except Exception:  # noqa: BLE001  # it is missing, or there is no master process
        previous = getattr(uwsgi, "post_fork_hook", _do_nothing)

        def call_both() -> None:
            previous()
            function()

        uwsgi.post_fork_hook = call_both
    else:
        chain.append(function)


def _do_nothing() -> None:
    """Stand for an earlier hook where there is none."""
