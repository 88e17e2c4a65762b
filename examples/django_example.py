"""Django in one file: a sync view for WSGI and an async one for ASGI.

    pip install 'unisights[django]' gunicorn uvicorn
    gunicorn django_example:application -w 1
    uvicorn django_example:asgi_application

Endpoints: POST /api/events/ and /api/async-events/; both work under WSGI and ASGI,
with and without the trailing slash.
Counts: /counts/ (of the one worker process).
"""

import os
from collections import Counter

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, JsonResponse
from django.urls import path

from unisights import UnisightsOptions, UnisightsPayload
from unisights.django import unisights_django, unisights_django_async, unisights_urls

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for trying it out"),
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup()

counts: Counter[str] = Counter()


async def handle_event(payload: UnisightsPayload, request: HttpRequest) -> None:
    """Count a payload's events."""
    counts.update(event.type for event in payload.data.events)


def show_counts(request: HttpRequest) -> JsonResponse:
    """The counts since the start."""
    return JsonResponse(counts)


options = UnisightsOptions(handler=handle_event)

urlpatterns = [
    *unisights_urls("api/events/", unisights_django(options)),
    *unisights_urls("api/async-events/", unisights_django_async(options), name="async-events"),
    path("counts/", show_counts),
]

application = WSGIHandler()
asgi_application = ASGIHandler()
