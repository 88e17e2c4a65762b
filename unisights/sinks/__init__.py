"""Handlers that store what was received: pass one as `handler`."""

from unisights.sinks.sqlite import SQLiteSink

__all__ = ["SQLiteSink"]
