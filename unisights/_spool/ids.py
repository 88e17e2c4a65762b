"""The numbers of payloads and rejections: no two have the same, not even one after the other.

The statements belong inside a transaction of the spool.
"""

import sqlite3

from unisights._sqlite.connection import SQLiteConnection

_Connection = sqlite3.Connection | SQLiteConnection


def take_ids(connection: _Connection, count: int) -> range:
    """Return the next numbers, which are given to nothing else from now on."""
    (first,) = connection.execute("SELECT next_id FROM state").fetchone()
    connection.execute("UPDATE state SET next_id = ?", (first + count,))
    return range(first, first + count)


def skip_id(connection: _Connection, row_id: int) -> None:
    """Give this number to nothing that is stored later."""
    connection.execute("UPDATE state SET next_id = max(next_id, ?)", (row_id + 1,))
