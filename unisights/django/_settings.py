"""The setting `UNISIGHTS`: an endpoint's options among the project's settings."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django.apps import apps
from django.conf import ENVIRONMENT_VARIABLE, settings
from django.utils.module_loading import import_string

from unisights.config import UnisightsOptions
from unisights.errors import ConfigurationError

_IMPORTED = ("handler", "on_error", "on_reject")
"""What may be given by its import path, because it uses models: settings cannot import them."""

_NAMES = [field.name for field in fields(UnisightsOptions)]


def is_app_installed() -> bool:
    """Return whether `unisights.django` is one of the installed apps."""
    return bool(apps.ready and apps.is_installed("unisights.django"))


def read_setting() -> Any:
    """Return the setting as it is; None if there is none, or no settings at all."""
    if not settings.configured and not os.environ.get(ENVIRONMENT_VARIABLE):
        return None
    return getattr(settings, "UNISIGHTS", None)


def read_options() -> UnisightsOptions:
    """Return the options of the setting; the defaults if there is none.

    Raises:
        ConfigurationError: it is no dictionary, or a key or a value is wrong.
    """
    values = read_setting()
    if values is None:
        return UnisightsOptions()
    if not isinstance(values, Mapping):
        raise ConfigurationError(
            f'UNISIGHTS must be a dictionary, such as {{"handler": "shop.events.store"}}, not '
            f"{type(values).__name__}"
        )
    for name in values:
        _check_name(name)
    imported = {name: _import(name, value) for name, value in values.items() if name in _IMPORTED}
    try:
        return UnisightsOptions(**{**values, **imported})
    except ConfigurationError as error:
        raise ConfigurationError(f"UNISIGHTS: {error}") from error


def _check_name(name: object) -> None:
    if name in _NAMES:
        return
    close = difflib.get_close_matches(str(name), _NAMES, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(_NAMES)}"
    raise ConfigurationError(f"UNISIGHTS has no key {name!r}: {advice}")


def _import(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except Exception as error:
        raise ConfigurationError(
            f"UNISIGHTS: {name} cannot be imported as {value!r}: {type(error).__name__}: {error}"
        ) from error
