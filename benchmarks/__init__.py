"""How fast the package is, beside its peers: measured, never tested.

`make bench` runs it. It imports the package's public modules only, so that it also runs beside
other revisions of the package, and nothing of the tests.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""
