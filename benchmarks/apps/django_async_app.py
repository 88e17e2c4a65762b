"""Django behind ASGI."""

from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.apps import ANSWER, HEADERS
from benchmarks.apps.django_settings import configure
from unisights.django import unisights_django_async

configure(__name__)


@csrf_exempt
async def read(request: HttpRequest) -> HttpResponse:
    """Read the body; do nothing with it."""
    _ = request.body
    return HttpResponse(ANSWER, headers=HEADERS)


urlpatterns = [path("read", read), path("events", unisights_django_async())]
app = get_asgi_application()
