"""Runs Django's development server as `manage.py runserver --noreload` does: an app and a port."""

import importlib
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    app, port = sys.argv[1:]
    importlib.import_module(app.partition(":")[0])  # It configures Django.
    execute_from_command_line(["manage.py", "runserver", "--noreload", port])
