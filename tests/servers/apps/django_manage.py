"""Django's management commands, for the app behind WSGI."""

import sys

from django.core.management import execute_from_command_line

from tests.servers.apps import django_wsgi  # noqa: F401  # configures Django

execute_from_command_line(sys.argv)
