"""Makes the code blocks of the documents tests: `pytest README.md docs` runs them.

pytest applies a conftest to what is below it, and the documents are not below `tests/`.
"""

from hypothesis import HealthCheck, settings

from tests.docs.blocks import pytest_collect_file, running_server, stage

__all__ = ["pytest_collect_file", "running_server", "stage"]

# A busy machine must not fail a property test. How long one may run is bounded by its examples.
settings.register_profile("unisights", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unisights")
