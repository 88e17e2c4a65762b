"""Django's sync view, behind WSGI."""

from django.core.wsgi import get_wsgi_application
from django.urls import path

from tests.servers.apps.django_settings import configure
from tests.servers.apps.settings import make_options
from unisights.django import unisights_django

configure(__name__)
urlpatterns = [path("events", unisights_django(make_options()))]
app = get_wsgi_application()
