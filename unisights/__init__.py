"""Receives the unisights browser client's events inside your own web app."""

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


def __getattr__(name: str) -> str:
    """Look up `__version__` when it is asked for: that costs as much as all other imports."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("unisights")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
