"""The `unisights` command: a module for each subcommand, and `main`, which chooses among them.

Nothing but `unisights.__main__` and the installed command imports this package.
"""
