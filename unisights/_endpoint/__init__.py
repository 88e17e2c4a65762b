"""One endpoint: its collector and its delivery, for synchronous and asynchronous hosts.

Adapters import from here. Nothing below an adapter does.
"""
