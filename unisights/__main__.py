"""`python -m unisights`: the `unisights` command."""

import sys

from unisights._cli.main import main

sys.exit(main())
