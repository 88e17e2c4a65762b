"""Forks: the locks, threads and connections of a process do not work in a forked child.

This is the package's only hook for forks. An object that holds a lock, a thread, a connection or
counts of its process registers itself here.
"""

import os
import weakref
from typing import Any, Protocol

from unisights._runtime.uwsgi_forks import call_after_fork, once_per_process


class ForkAware(Protocol):
    """An object that begins anew in a forked child."""

    def reset_after_fork(self) -> None:
        """Begin anew, in the child, and leave to the parent everything that it still uses."""


_objects: "weakref.WeakSet[Any]" = weakref.WeakSet()


def reset_in_children(thing: ForkAware) -> None:
    """Call an object's `reset_after_fork` in each child that is forked while the object lives."""
    _objects.add(thing)


def leak(thing: object) -> None:
    """Keep an object from ever being destroyed, even when the interpreter ends.

    Destroying a connection in a child may end the parent's connection: the server is told, or the
    kernel drops a lock that both share. A client whose threads run in the parent would wait for
    them for ever.
    """
    import ctypes  # noqa: PLC0415  # slow to import, and rarely needed

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _reset_all() -> None:
    errors: list[Exception] = []
    for thing in list(_objects):
        try:
            thing.reset_after_fork()
        except Exception as error:  # noqa: BLE001  # the others have to be reset as well
            errors.append(error)
    if errors:
        # The interpreter prints it, and the child goes on.
        raise ExceptionGroup("a forked child could not be reset", errors)


_reset_child = once_per_process(_reset_all)

os.register_at_fork(after_in_child=_reset_child)
call_after_fork(_reset_child)
