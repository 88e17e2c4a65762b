"""Sinks: handlers that store payloads. Pass one as `handler`.

Every sink has `open`, `close` and a `from_url` of its own. The names of this module are public.
The private modules serve one or several sinks; of the rest of the package, only the `unisights`
command imports from them.

A sink is imported when its name is first used, because most need a client library. If the library
is missing, the ImportError names the extra to install.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unisights.sinks._batch import Batch as Batch
    from unisights.sinks.jsonl import JSONLinesSink as JSONLinesSink
    from unisights.sinks.kafka import KafkaSink as KafkaSink
    from unisights.sinks.postgres import PostgresSink as PostgresSink
    from unisights.sinks.redis import RedisStreamSink as RedisStreamSink
    from unisights.sinks.sqlite import SQLiteSink as SQLiteSink

else:  # With a visible `__getattr__`, type checkers would accept any name.
    _MODULES = {
        "Batch": "_batch",
        "JSONLinesSink": "jsonl",
        "KafkaSink": "kafka",
        "PostgresSink": "postgres",
        "RedisStreamSink": "redis",
        "SQLiteSink": "sqlite",
    }

    __all__ = list(_MODULES)

    def __getattr__(name: str) -> Any:
        """Import the class of this name."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"unisights.sinks.{_MODULES[name]}"), name)
        globals()[name] = found
        return found
