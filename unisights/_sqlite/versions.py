"""The version of a file: what it is, and how an earlier one is migrated.

`application_id` in the file's header tells what the file is, `user_version` the version of its
tables. The table `about` tells which version of unisights can read it. That table and these two
numbers stay as they are in all versions to come.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from unisights.errors import StoreError

_ABOUT = "CREATE TABLE IF NOT EXISTS about (needs TEXT NOT NULL)"


@dataclass(frozen=True)
class Format:
    """A kind of file in one version.

    Attributes:
        application_id: what the file is.
        version: the version of its tables.
        needs: the first version of unisights that can read these tables.
        tables: the statements that make the tables in an empty file.
        migrations: for each earlier version that can be migrated, the statements that make the
            next version of it.
    """

    application_id: int
    version: int
    needs: str
    tables: str
    migrations: Mapping[int, str]

    def create(self, connection: sqlite3.Connection) -> None:
        """Make the tables, inside a transaction."""
        connection.execute(f"PRAGMA application_id = {self.application_id}")
        _run(connection, self.tables)
        self._stamp(connection)

    def is_migratable(self, found: int) -> bool:
        """Return whether a version is an earlier one that can be migrated."""
        return found < self.version and all(
            version in self.migrations for version in range(found, self.version)
        )

    def migrate(self, connection: sqlite3.Connection) -> None:
        """Migrate the tables, inside a transaction: a crash leaves the version that was there.

        Raises:
            StoreError: there is no migration of this version.
        """
        found = version_of(connection)
        if found == self.version:
            return  # Another process was faster.
        if not self.is_migratable(found):
            raise StoreError(self.refusal(connection))
        for version in range(found, self.version):
            _run(connection, self.migrations[version])
        self._stamp(connection)

    def refusal(self, connection: sqlite3.Connection) -> str:
        """Return why a file of another version cannot be used, and what can be done."""
        found = version_of(connection)
        tables = f"(tables of version {found}, not {self.version})"
        if found > self.version:
            return f"a newer version of unisights made it: use {needed_by(connection)} {tables}"
        return (
            f"an older version of unisights, before {self.needs}, made it {tables}: use that "
            "version, or move the file away"
        )

    def _stamp(self, connection: sqlite3.Connection) -> None:
        connection.execute(_ABOUT)
        connection.execute("DELETE FROM about")
        connection.execute("INSERT INTO about VALUES (?)", (self.needs,))
        connection.execute(f"PRAGMA user_version = {self.version}")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a file's tables; 0 for a new file."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def needed_by(connection: sqlite3.Connection) -> str:
    """Return in words which version of unisights can read a file, as the file says."""
    try:
        (needs,) = connection.execute("SELECT needs FROM about").fetchone()
    except (sqlite3.Error, TypeError):
        return "that version"
    return f"unisights {needs} or later"


def _run(connection: sqlite3.Connection, script: str) -> None:
    # `executescript` would commit first.
    for statement in _statements(script):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
