"""The spool: the SQLite file of durable delivery, and what works on it."""
