"""The `unisights` command."""
