"""Runs uWSGI as `python -m`, which its own module cannot be run as."""

import sys

from pyuwsgi import run

sys.exit(run())
