"""An endpoint for each view, handler and delivery: `/sync-async-durable`, a view and a handler."""

import asyncio
import itertools
import os
import tempfile
from pathlib import Path

from django.http import HttpResponse
from django.urls import path

from shop.models import Visit
from unisights import Background, Durable, Inline, Retry, UnisightsOptions
from unisights.django import unisights_django, unisights_django_async

SPOOLS = Path(os.environ.get("SHOP_SPOOLS") or tempfile.mkdtemp())
COLOURS = ("sync", "async")
DELIVERIES = ("inline", "background", "durable")
loops = {}
"""The event loops on which each endpoint's async handler has run."""


def make_view(view, handler, delivery):
    """Make the view of an endpoint."""
    name = f"{view}-{handler}-{delivery}"

    def store(payload, request):
        Visit.objects.create(endpoint=name, session=payload.data.session_id)

    async def store_async(payload, request):
        loops.setdefault(name, set()).add(asyncio.get_running_loop())
        await Visit.objects.acreate(endpoint=name, session=payload.data.session_id)

    deliveries = {
        "inline": Inline(),
        "background": Background(),
        "durable": Durable(SPOOLS / name, retry=Retry(attempts=50, pause=0.05, max_pause=0.2)),
    }
    options = UnisightsOptions(
        handler=store if handler == "sync" else store_async, delivery=deliveries[delivery]
    )
    return (unisights_django if view == "sync" else unisights_django_async)(options)


def count(request):
    """Count what an endpoint has stored, and the loops on which it did."""
    name = request.GET["endpoint"]
    text = f"{Visit.objects.filter(endpoint=name).count()} {len(loops.get(name, ()))}"
    return HttpResponse(text)


views = {
    "-".join(parts): make_view(*parts) for parts in itertools.product(COLOURS, COLOURS, DELIVERIES)
}
urlpatterns = [path("count", count), *(path(name, view) for name, view in views.items())]
