"""Django, sync and async; the module is its own URLconf."""

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.apps import ANSWER, HEADERS
from unisights.django import unisights_django, unisights_django_async

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="not secret",  # noqa: S106  # it is not
    ROOT_URLCONF=__name__,
    # What `startproject` writes, but for what needs a database.
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)


@csrf_exempt
def read(request: HttpRequest) -> HttpResponse:
    """Read the body; do nothing with it."""
    _ = request.body
    return HttpResponse(ANSWER, headers=HEADERS)


@csrf_exempt
async def read_async(request: HttpRequest) -> HttpResponse:
    """Read the body; do nothing with it."""
    _ = request.body
    return HttpResponse(ANSWER, headers=HEADERS)


urlpatterns = [
    path("read", read),
    path("read-async", read_async),
    path("events", unisights_django()),
    path("events-async", unisights_django_async()),
]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
