"""The Django app, `INSTALLED_APPS += ["unisights.django"]`: system checks and a command."""

from django.apps import AppConfig
from django.core.checks import register

from unisights.django import _checks


class UnisightsConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """The app. It has no models."""

    name = "unisights.django"
    label = "unisights"
    verbose_name = "unisights"

    def ready(self) -> None:
        """Register the system checks."""
        register(_checks.check_settings, "unisights")
        register(_checks.check_endpoints, "unisights")
        register(_checks.check_deployment, "unisights", deploy=True)
