"""uWSGI, as a program: the package `pyuwsgi` has no module that could be run."""

import sys

import pyuwsgi  # type: ignore[import-not-found]

pyuwsgi.run(sys.argv[1:])
