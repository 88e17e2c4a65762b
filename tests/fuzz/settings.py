"""How thorough Hypothesis is: `make fuzz` sets it higher."""

import os

EXAMPLES = int(os.environ.get("UNISIGHTS_FUZZ_EXAMPLES", "100"))
"""How many examples each property is tried with."""
