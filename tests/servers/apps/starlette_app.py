"""The ASGI app, mounted in Starlette, which runs its lifespan."""

from starlette.applications import Starlette
from starlette.routing import Mount

from tests.servers.apps.settings import make_options
from unisights.asgi import unisights_asgi

endpoint = unisights_asgi(make_options())
app = Starlette(routes=[Mount("/", app=endpoint)], lifespan=endpoint.lifespan)
