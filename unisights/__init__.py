"""Receives the unisights browser client's events inside your own web app.

What is named here is imported when it is first asked for: importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unisights import config as config
    from unisights import encryption as encryption
    from unisights import errors as errors
    from unisights import rejection as rejection
    from unisights import request as request
    from unisights import schema as schema
    from unisights import stats as stats
    from unisights import types as types
    from unisights import validator as validator
    from unisights.config import UnisightsOptions
    from unisights.errors import (
        ConfigurationError,
        DecryptionError,
        InvalidJSONError,
        Problem,
        UndeliveredError,
        UnisightsError,
        ValidationError,
    )
    from unisights.rejection import Rejection
    from unisights.request import RequestInfo
    from unisights.schema import SCHEMA_DIGEST, SCHEMA_VERSION
    from unisights.stats import Stats
    from unisights.types import (
        ClickEvent,
        CustomEvent,
        ErrorEvent,
        Event,
        PageViewEvent,
        UnisightsData,
        UnisightsPayload,
        WebVitalEvent,
    )
    from unisights.validator import decode_unisights_payload, validate_unisights_payload

    __version__: str

__all__ = [
    "SCHEMA_DIGEST",
    "SCHEMA_VERSION",
    "ClickEvent",
    "ConfigurationError",
    "CustomEvent",
    "DecryptionError",
    "ErrorEvent",
    "Event",
    "InvalidJSONError",
    "PageViewEvent",
    "Problem",
    "Rejection",
    "RequestInfo",
    "Stats",
    "UndeliveredError",
    "UnisightsData",
    "UnisightsError",
    "UnisightsOptions",
    "UnisightsPayload",
    "ValidationError",
    "WebVitalEvent",
    "__version__",
    "decode_unisights_payload",
    "validate_unisights_payload",
]

_HOMES = {
    "config": ("UnisightsOptions",),
    "errors": (
        "ConfigurationError",
        "DecryptionError",
        "InvalidJSONError",
        "Problem",
        "UndeliveredError",
        "UnisightsError",
        "ValidationError",
    ),
    "rejection": ("Rejection",),
    "request": ("RequestInfo",),
    "schema": ("SCHEMA_DIGEST", "SCHEMA_VERSION"),
    "stats": ("Stats",),
    "types": (
        "ClickEvent",
        "CustomEvent",
        "ErrorEvent",
        "Event",
        "PageViewEvent",
        "UnisightsData",
        "UnisightsPayload",
        "WebVitalEvent",
    ),
    "validator": ("decode_unisights_payload", "validate_unisights_payload"),
    "encryption": (),
}
"""The modules that need no framework, and what is named here of each."""

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # They would take any name for one that is here.

    def __getattr__(name: str) -> Any:
        """Import what is asked for."""
        if name in _HOME_OF:
            found = getattr(import_module(f"unisights.{_HOME_OF[name]}"), name)
        elif name in _HOMES:
            return import_module(f"unisights.{name}")
        elif name == "__version__":
            found = import_module("importlib.metadata").version("unisights")
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_HOMES})
