"""Receives the events of the unisights browser client inside your own web app.

There is an adapter for each framework: `fastapi`, `flask`, `django`, `asgi`. They share `config`,
`collector`, `request`, `rejection`, `stats` and `errors`. The contract is in `types`, `validator`,
`schema` and `encryption`. Handlers that store are in `sinks`; `testing` helps to test handlers.
Of the private packages, `_endpoint` leads a request from its body to its response, `_http` reads
requests and writes responses, `_decoding` makes payloads of bytes, `_schema` validates them,
`_delivery` calls the handler, `_spool` is the file of durable delivery, `_sqlite` is what every
SQLite file shares, `_checks` checks options, `_runtime` deals with threads, forks, signals and
logs, and `_cli` is the command. `django` is a package: the views, and an optional Django app.

The names of this module are imported from their modules when they are first used, so that
`import unisights` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unisights import config as config
    from unisights import control as control
    from unisights import delivery as delivery
    from unisights import encryption as encryption
    from unisights import errors as errors
    from unisights import readiness as readiness
    from unisights import rejection as rejection
    from unisights import request as request
    from unisights import retry as retry
    from unisights import schema as schema
    from unisights import stats as stats
    from unisights import types as types
    from unisights import validator as validator
    from unisights.config import ErrorHandler as ErrorHandler
    from unisights.config import Handler as Handler
    from unisights.config import RejectHandler as RejectHandler
    from unisights.config import UnisightsOptions as UnisightsOptions
    from unisights.control import EndpointControl as EndpointControl
    from unisights.delivery import Background as Background
    from unisights.delivery import Durable as Durable
    from unisights.delivery import Inline as Inline
    from unisights.errors import ConfigurationError as ConfigurationError
    from unisights.errors import DecryptionError as DecryptionError
    from unisights.errors import InvalidJSONError as InvalidJSONError
    from unisights.errors import PermanentError as PermanentError
    from unisights.errors import Problem as Problem
    from unisights.errors import SinkError as SinkError
    from unisights.errors import StoreError as StoreError
    from unisights.errors import UndeliveredError as UndeliveredError
    from unisights.errors import UnisightsError as UnisightsError
    from unisights.errors import ValidationError as ValidationError
    from unisights.readiness import Readiness as Readiness
    from unisights.rejection import Rejection as Rejection
    from unisights.request import RequestInfo as RequestInfo
    from unisights.retry import Retry as Retry
    from unisights.schema import SCHEMA_DIGEST as SCHEMA_DIGEST
    from unisights.schema import SCHEMA_VERSION as SCHEMA_VERSION
    from unisights.stats import Stats as Stats
    from unisights.types import *  # noqa: F403  # every type of the schema: none can be missing
    from unisights.validator import decode_unisights_payload as decode_unisights_payload
    from unisights.validator import validate_unisights_payload as validate_unisights_payload

    __version__: str

else:  # Type checkers would take any attribute to exist.
    _MODULES = {
        "ErrorHandler": "config",
        "Handler": "config",
        "RejectHandler": "config",
        "UnisightsOptions": "config",
        "EndpointControl": "control",
        "Background": "delivery",
        "Durable": "delivery",
        "Inline": "delivery",
        "ConfigurationError": "errors",
        "DecryptionError": "errors",
        "InvalidJSONError": "errors",
        "PermanentError": "errors",
        "Problem": "errors",
        "SinkError": "errors",
        "StoreError": "errors",
        "UndeliveredError": "errors",
        "UnisightsError": "errors",
        "ValidationError": "errors",
        "Readiness": "readiness",
        "Rejection": "rejection",
        "RequestInfo": "request",
        "Retry": "retry",
        "SCHEMA_DIGEST": "schema",
        "SCHEMA_VERSION": "schema",
        "Stats": "stats",
        "decode_unisights_payload": "validator",
        "validate_unisights_payload": "validator",
    }
    _SUBMODULES = {*_MODULES.values(), "encryption", "types"}

    def __getattr__(name: str) -> Any:
        """Import what is asked for."""
        if name in _SUBMODULES:
            return import_module(f"unisights.{name}")
        if name in _MODULES:
            found = getattr(import_module(f"unisights.{_MODULES[name]}"), name)
        elif name == "__version__":
            found = import_module("importlib.metadata").version("unisights")
        elif name == "__all__":
            types = import_module("unisights.types")
            found = sorted([*_MODULES, *types.__all__, "__version__"])
        elif name[0].isupper() and name in import_module("unisights.types").__all__:
            found = getattr(import_module("unisights.types"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__"), *_SUBMODULES})
