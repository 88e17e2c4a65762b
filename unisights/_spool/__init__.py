"""The spool: the SQLite file that keeps what was acknowledged until it is delivered.

The file, and one connection to it:

- `tables`: the tables, their version and the migrations of earlier ones.
- `files`: finds, makes and checks the file before SQLite opens it.
- `clock`: the clocks that times in the file are measured by.
- `progress`: tells others what the thread that uses the file is waiting for.
- `connection`: opens the file, and makes transactions.
- `set_up`: makes, migrates and checks the tables when the file is opened.
- `rescue`: saves what is in files that were removed while they were in use.
- `take_in`: stores in the spool what was saved.
- `statements`: helpers for statements about many rows.
- `rows`, `stored_requests`: the form in which payloads and their requests are stored.
- `ids`: the numbers of payloads and rejections.
- `store`: the statements about payloads. Its class `Spool` has the others as attributes.
- `owners`: the processes to which payloads belong.
- `rejections`: the rejections that are kept.
- `duplicates`: the content ids of the duplicate window.
- `reports`: the payloads and their ages, for people.

A process that delivers:

- `process_locks`: show other processes that this one is alive.
- `writer`: the thread that writes to the file.
- `puts`: the payloads and rejections that requests hand to it, with their results.
- `pending_writes`: the content of its next transaction.
- `admission`: stores new payloads, without duplicates and within the limit.
- `claims`: decides which payloads this process works on.
- `workers`: the threads or tasks that run jobs.
- `drains`: the threads that wait until the payloads of the spool have been delivered.
- `upkeep`: once a second, looks after what concerns all processes of a spool.

For the command:

- `repair`: saves the content of a corrupt spool.
- `replay`: validates rejections again.
- `drop`: deletes records that nobody needs.

`_delivery` and `_cli` import from here. Nothing here calls a handler or knows a server.
"""
