"""The spool: the SQLite file that keeps what was acknowledged until it is delivered.

The file: its `tables`, how it is found and checked (`files`), one `connection` to it, and the
statements on it (`store`, `rejected`, `duplicates`), with the `rows` and `requests` they keep.
A process at work: its `process_locks`, the thread that writes (`writer`) what waits (`puts`,
`pending`), what it stores (`intake`), what it works on (`claims`, `workers`), and what it does for
all processes (`upkeep`). By hand: `repair` and `replay`.

Delivery and the command import from here. Nothing here calls a handler or knows a host.
"""
