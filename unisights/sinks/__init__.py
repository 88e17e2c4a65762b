"""Handlers that store what was received: pass one as `handler`.

Each is imported when it is first asked for, since most need a client library; a missing one is an
ImportError that names the extra to install.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unisights.sinks._batching import Batch, Retry
    from unisights.sinks.jsonl import JSONLinesSink
    from unisights.sinks.kafka import KafkaSink
    from unisights.sinks.postgres import PostgresSink
    from unisights.sinks.redis import RedisStreamSink
    from unisights.sinks.sqlite import SQLiteSink

__all__ = [
    "Batch",
    "JSONLinesSink",
    "KafkaSink",
    "PostgresSink",
    "RedisStreamSink",
    "Retry",
    "SQLiteSink",
]

_HOMES = {
    "Batch": "_batching",
    "JSONLinesSink": "jsonl",
    "KafkaSink": "kafka",
    "PostgresSink": "postgres",
    "RedisStreamSink": "redis",
    "Retry": "_batching",
    "SQLiteSink": "sqlite",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"unisights.sinks.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
