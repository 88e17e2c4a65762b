"""An endpoint for each view, handler and delivery: `/sync-async-durable`, a view and a handler."""

import asyncio
import itertools
import os
import tempfile
from pathlib import Path

from django.conf import settings
from django.http import HttpResponse
from django.urls import path

from shop.models import Visit
from unisights import Background, Durable, Inline, Retry, UnisightsOptions
from unisights.django import unisights_django, unisights_django_async, unisights_urls

SPOOLS = Path(os.environ.get("SHOP_SPOOLS") or tempfile.mkdtemp())
COLOURS = ("sync", "async")
DELIVERIES = ("inline", "background", "durable")
loops = {}
"""The event loops on which each endpoint's async handler has run."""


class Handler:
    """Stores what was handled, what was rejected and what has failed; its `open` asks, too."""

    def __init__(self, name):
        self.name = name

    def open(self):
        """Use the database before the first payload."""
        Visit.objects.exists()

    def __call__(self, payload, request):
        """Store a payload, or fail."""
        Visit.objects.create(endpoint=self.name, session=payload.data.session_id)
        if payload.data.asset_id == "fails":
            raise LookupError

    def reject(self, rejection):
        """Store that something was rejected."""
        Visit.objects.create(endpoint=f"{self.name}-rejected", session=rejection.reason)

    def close(self):
        """Store that this was closed."""
        Visit.objects.create(endpoint=f"{self.name}-closed")

    def fail(self, payload, error):
        """Store that something has failed."""
        Visit.objects.create(endpoint=f"{self.name}-failed", session=type(error).__name__)


class AsyncHandler:
    """Likewise, for async code."""

    def __init__(self, name):
        self.name = name

    async def open(self):
        """Use the database before the first payload."""
        self._note_loop()
        await Visit.objects.aexists()

    async def __call__(self, payload, request):
        """Store a payload, or fail."""
        self._note_loop()
        await Visit.objects.acreate(endpoint=self.name, session=payload.data.session_id)
        if payload.data.asset_id == "fails":
            raise LookupError

    async def reject(self, rejection):
        """Store that something was rejected."""
        self._note_loop()
        await Visit.objects.acreate(endpoint=f"{self.name}-rejected", session=rejection.reason)

    async def close(self):
        """Store that this was closed."""
        self._note_loop()
        await Visit.objects.acreate(endpoint=f"{self.name}-closed")

    async def fail(self, payload, error):
        """Store that something has failed."""
        self._note_loop()
        await Visit.objects.acreate(endpoint=f"{self.name}-failed", session=type(error).__name__)

    def _note_loop(self):
        loops.setdefault(self.name, set()).add(asyncio.get_running_loop())


def make_view(view, handler, delivery):
    """Make the view of an endpoint."""
    name = f"{view}-{handler}-{delivery}"
    stores = (Handler if handler == "sync" else AsyncHandler)(name)
    deliveries = {
        "inline": Inline(),
        "background": Background(),
        "durable": Durable(SPOOLS / name, retry=Retry(attempts=50, pause=0.05, max_pause=0.2)),
    }
    options = UnisightsOptions(
        handler=stores,
        on_reject=stores.reject,
        on_error=stores.fail,
        delivery=deliveries[delivery],
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
urlpatterns = [path("count", count)]
for name, view in views.items():
    urlpatterns += unisights_urls(name, view, name=name)
if hasattr(settings, "UNISIGHTS"):
    urlpatterns += unisights_urls("api/events")
