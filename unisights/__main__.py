"""The `unisights` command, as `python -m unisights`."""

import sys

from unisights._cli.main import main

sys.exit(main())
