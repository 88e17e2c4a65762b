"""Django behind WSGI."""

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.apps import ANSWER, HEADERS
from benchmarks.apps.django_settings import configure
from unisights.django import unisights_django

configure(__name__)


@csrf_exempt
def read(request: HttpRequest) -> HttpResponse:
    """Read the body; do nothing with it."""
    _ = request.body
    return HttpResponse(ANSWER, headers=HEADERS)


urlpatterns = [path("read", read), path("events", unisights_django())]
app = get_wsgi_application()
