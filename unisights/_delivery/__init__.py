"""Delivery: what happens to a payload after it was accepted.

`factory` makes one of three deliveries: `inline`, `background` (with its `work_queue`) or
`durable` (with what it runs in a process, `spool_runner`, and its `attempts`). `retry` decides
what follows from a failed attempt. All of them call the user's `handler`, pass failures to
`on_error` (`failures`) and return an `outcome`.

An endpoint imports from here `base`, `factory` and `outcome`. Nothing here knows HTTP.
"""
