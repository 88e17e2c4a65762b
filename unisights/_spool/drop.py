"""Drops records of a spool for good: what a person has decided that nobody will need."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from unisights._spool.reports import State
from unisights._spool.statements import chunks
from unisights._spool.store import Spool


@dataclass(slots=True)
class Drop:
    """The result of dropping records.

    Attributes:
        ids: the numbers of the records that were deleted.
        owned: how many of them a process had in its memory. It may deliver them nevertheless.
    """

    ids: list[int] = field(default_factory=list)
    owned: int = 0


def drop(
    spool: Spool, state: State, ids: Collection[int], export: Callable[[Sequence[int]], None]
) -> Drop:
    """Delete records, a few in each transaction, so that others need not wait for long.

    Args:
        spool: the spool; others may use it meanwhile.
        state: the state of the records. Those that have left it by then are not deleted.
        ids: their numbers.
        export: is called with the numbers of records before these are deleted, outside of the
            transaction: it may take long. If it raises, they stay.

    Raises:
        StoreError: the spool cannot be written; the records before that have been deleted.
    """
    done = Drop()
    for chunk in chunks(sorted(ids)):
        exported = spool.reports.ids(state, chunk)
        export(exported)
        with spool.transaction():
            found = spool.reports.ids(state, exported)
            owned = spool.reports.count_owned(found) if state == "waiting" else 0
            if state == "rejected":
                spool.rejections.delete(found)
            else:
                spool.delete(found)
        done.ids += found
        done.owned += owned
    return done
