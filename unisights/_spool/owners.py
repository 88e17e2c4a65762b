"""The owners of a spool: the processes to which payloads belong while they are in memory there."""

import os
from collections.abc import Iterable, Sequence

from unisights._spool.statements import chunks, literals, marks
from unisights._sqlite.connection import SQLiteConnection


class Owners:
    """The owners of a spool. Methods that change something belong inside a transaction.

    Args:
        connection: the spool's.
    """

    def __init__(self, connection: SQLiteConnection) -> None:
        self._connection = connection

    def add(self, owner: int) -> None:
        """Record an owner, unless it is recorded; its process lock is held."""
        self._connection.execute("INSERT OR IGNORE INTO owners VALUES (?, ?)", (owner, os.getpid()))

    def remove(self, owner: int) -> None:
        """Release all payloads of an owner, and delete the owner."""
        self.release_all(owner)
        self._connection.execute("DELETE FROM owners WHERE id = ?", (owner,))

    def release(self, owner: int, ids: Sequence[int]) -> None:
        """Let any process claim some payloads of an owner."""
        for chunk in chunks(ids):
            self._connection.execute(
                "UPDATE waiting SET owner = 0 WHERE owner = ? "  # noqa: S608
                f"AND id IN ({marks(len(chunk))})",
                (owner, *chunk),
            )

    def release_all(self, owner: int, *, but: Iterable[int] = ()) -> None:
        """Let any process claim all payloads of an owner, except for some."""
        self._connection.execute(
            f"UPDATE waiting SET owner = 0 WHERE owner = ? AND id NOT IN ({literals(but)})",  # noqa: S608
            (owner,),
        )

    def others(self, owner: int) -> list[int]:
        """Return all other owners, dead or alive."""
        found = self._connection.execute("SELECT id FROM owners WHERE id != ?", (owner,))
        return [other for (other,) in found.fetchall()]
