"""Django's sync view, behind ASGI."""

from django.core.asgi import get_asgi_application
from django.urls import path

from tests.servers.apps.django_settings import configure
from tests.servers.apps.settings import make_options
from unisights.django import unisights_django

configure(__name__)
urlpatterns = [path("events", unisights_django(make_options()))]
app = get_asgi_application()
