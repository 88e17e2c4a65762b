"""Delivery: what happens to a payload after it was accepted.

`factory` makes one of three deliveries: `inline`, `background` (with its `work_queue`) or
`durable` (with what it runs in a process, `spool_runner`, and its `attempts`). All of them call the
user's `handler`, pass failures to `on_error` (`failures`) and return an `outcome`.

An endpoint imports from here `base`, `factory` and `outcome`, and its handle `base`. Nothing here
knows HTTP.
"""
