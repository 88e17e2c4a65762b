"""The ASGI app behind a middleware of Starlette's that ends what runs when its client leaves."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from tests.servers.apps.settings import make_options
from unisights.asgi import unisights_asgi


async def _pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


endpoint = unisights_asgi(make_options())
app = Starlette(
    routes=[Mount("/", app=endpoint)],
    lifespan=endpoint.lifespan,
    middleware=[Middleware(BaseHTTPMiddleware, dispatch=_pass_on)],
)
