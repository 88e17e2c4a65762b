"""What must not cross a fork: a child leaves its parent's connections alone."""

import os
import weakref
from typing import Any, Protocol


class Forgetful(Protocol):
    """Something that begins anew in a forked child."""

    def forget(self) -> None:
        """Begin anew: what the parent has is the parent's."""


_known: "weakref.WeakSet[Any]" = weakref.WeakSet()


def forget_in_children(thing: Forgetful) -> None:
    """Have something forget what it holds in each child that is forked from now on."""
    _known.add(thing)


def abandon(thing: object) -> None:
    """Never let something be destroyed, not even when the interpreter ends.

    Ending a connection in a child may end the parent's: the server would hear of it, or the
    kernel's list of descriptors that the two share would lose it. And a client whose threads are
    the parent's would wait for them for ever.
    """
    import ctypes  # noqa: PLC0415  # takes a while, for few

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _forget_all() -> None:
    for thing in _known:
        thing.forget()


os.register_at_fork(after_in_child=_forget_all)
