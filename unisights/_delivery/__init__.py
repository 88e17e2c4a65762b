"""Delivery: what happens to a payload after it was accepted.

`factory` makes one of three deliveries: `inline`, `background` (with its `work_queue`) or
`durable` (with what it runs in a process, `spool_runner`; for tests, in a `temporary_spool`).
`retry` decides what follows from a failed attempt to deliver from the spool: another attempt, and
when, or a dead letter. `resumption` opens spools without traffic, once the process serves. All of
them call the user's `handler`, pass failures to `on_error` and return an `outcome`.

An endpoint imports from here `context`, `factory` and `outcome`, and its handle `base`. Nothing
here knows HTTP.
"""
