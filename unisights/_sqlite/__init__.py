"""What every SQLite file of this package shares: the spool, and the file of `SQLiteSink`.

- `connection`: a connection, which is closed before each fork.
- `file_lock`: a lock on a file, which ends with its process.
- `open_database`: which files a connection has open, and whether they were removed or replaced.
- `mounts`: whether a file was mounted by itself, into a container for example.
- `versions`: which version a file has, and how an earlier one is migrated.
"""
