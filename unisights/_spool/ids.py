"""The numbers of payloads and rejections: no two have the same, not even one after the other.

The statements belong inside a transaction of the spool.
"""

from unisights._runtime.sqlite_connection import SQLiteConnection


def take_ids(connection: SQLiteConnection, count: int) -> range:
    """Return the next numbers, which are given to nothing else from now on."""
    (first,) = connection.execute("SELECT next_id FROM state").fetchone()
    connection.execute("UPDATE state SET next_id = ?", (first + count,))
    return range(first, first + count)


def skip_id(connection: SQLiteConnection, row_id: int) -> None:
    """Give this number to nothing that is stored later."""
    connection.execute("UPDATE state SET next_id = max(next_id, ?)", (row_id + 1,))
