"""The basis of every process: the log, forks, the end of the process, event loops, calls, waits.

It knows nothing of payloads, requests or delivery, and every other package may import from it.
"""
