"""Makes the code blocks of the documents tests: `pytest README.md docs` runs them.

pytest applies a conftest to what is below it, and the documents are not below `tests/`.
"""

from tests.docs.blocks import pytest_collect_file, running_server, stage

__all__ = ["pytest_collect_file", "running_server", "stage"]
