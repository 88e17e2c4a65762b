"""Starlette, or any ASGI framework: the endpoint mounted beside the app's own routes.

    pip install unisights starlette uvicorn
    uvicorn asgi_example:app

Endpoint: POST /api/events. Counts: /counts.
"""

from collections import Counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from unisights import RequestInfo, UnisightsOptions, UnisightsPayload
from unisights.asgi import unisights_asgi

counts: Counter[str] = Counter()


async def handle_event(payload: UnisightsPayload, request: RequestInfo) -> None:
    """Count a payload's events."""
    counts.update(event.type for event in payload.data.events)


async def show_counts(request: Request) -> JSONResponse:
    """The counts since the start."""
    return JSONResponse(counts)


# The app is mounted at /api, and serves /events below it.
endpoint = unisights_asgi(UnisightsOptions(path="/events", handler=handle_event))

app = Starlette(
    routes=[Route("/counts", show_counts), Mount("/api", app=endpoint)],
    # Starlette does not tell a mounted app of the shutdown: the lifespan drains the queue.
    lifespan=endpoint.lifespan,
)
