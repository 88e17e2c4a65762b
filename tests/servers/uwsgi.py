"""Runs uWSGI, whose package has no module that `python -m` could run, with a graceful SIGTERM."""

import sys
from importlib import import_module

GRACEFUL = ("--hook-master-start", "unix_signal:15 gracefully_kill_them_all")
"""Else, SIGTERM reloads, and a worker that is killed in a request runs no hook of Python."""

if __name__ == "__main__":
    import_module("pyuwsgi").run([*sys.argv[1:], *GRACEFUL])
