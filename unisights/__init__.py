"""Receives the unisights browser client's events inside your own web app."""

from importlib.metadata import version

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

__version__ = version("unisights")

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
