"""The ASGI middleware around a Starlette app."""

from starlette.applications import Starlette

from tests.servers.apps.settings import make_options
from unisights.asgi import unisights_asgi

app = unisights_asgi(make_options(), Starlette())
