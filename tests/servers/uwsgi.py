"""Runs uWSGI as `python -m`, which its own module cannot be run as."""

import sys
from importlib import import_module

sys.exit(import_module("pyuwsgi").run())
