"""`python -m unisights`: the `unisights` command."""

import sys

from unisights.cli import main

sys.exit(main())
