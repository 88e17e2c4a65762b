"""Runs a management command of Django as `manage.py` does: an app, and the command."""

import importlib
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    app, *command = sys.argv[1:]
    importlib.import_module(app.partition(":")[0])  # It configures Django.
    execute_from_command_line(["manage.py", *command])
