"""Django, behind WSGI and behind ASGI; this module is its URLconf, too."""

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.apps import HEADERS, RESPONSE
from unisights import UnisightsOptions
from unisights.django import unisights_django, unisights_django_async

# As `startproject` does, except for what needs a database; and with what the documentation says
# about memory under ASGI.
settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="not secret",  # noqa: S106  # it is not
    ROOT_URLCONF=__name__,
    FILE_UPLOAD_MAX_MEMORY_SIZE=UnisightsOptions().max_payload_size,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)


def read(request: HttpRequest) -> HttpResponse:
    """Read the body; do nothing with it."""
    _ = request.body
    return HttpResponse(RESPONSE, headers=HEADERS)


async def read_async(request: HttpRequest) -> HttpResponse:
    """Read the body; do nothing with it."""
    return read(request)


urlpatterns = [
    path("read", csrf_exempt(read)),
    path("events", unisights_django()),
    path("async/read", csrf_exempt(read_async)),
    path("async/events", unisights_django_async()),
]

make_wsgi = get_wsgi_application
make_asgi = get_asgi_application
