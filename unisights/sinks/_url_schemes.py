"""The schemes of URLs, and the sinks that they name."""

from importlib import import_module

from unisights.errors import ConfigurationError, SinkError
from unisights.sinks._redaction import without_passwords
from unisights.sinks._sink import Sink

_SINKS = {
    "sqlite": "SQLiteSink",
    "jsonl": "JSONLinesSink",
    "postgresql": "PostgresSink",
    "postgres": "PostgresSink",
    "redis": "RedisStreamSink",
    "rediss": "RedisStreamSink",
    "kafka": "KafkaSink",
}

URL_FORMS = (
    "sqlite:///FILE, jsonl:FILE, postgresql://HOST/DATABASE, redis://HOST/0?stream=KEY, "
    "kafka://HOST:9092/TOPIC"
)
"""The forms of a sink's URL, for help and messages."""


def sink_from_url(url: str) -> Sink:
    """Return the sink that a URL describes; no other sink's client library is imported.

    Raises:
        ConfigurationError: the scheme names no sink, or the sink cannot be made of the URL.
        SinkError: the sink's client library is not installed; the message names the extra.
    """
    scheme, colon, _ = url.partition(":")
    if scheme not in _SINKS or not colon:
        raise ConfigurationError(f"sink {without_passwords(url)!r}: must be one of {URL_FORMS}")
    try:
        sink_class: type[Sink] = getattr(import_module("unisights.sinks"), _SINKS[scheme])
    except ImportError as error:
        raise SinkError(str(error)) from error
    return sink_class.from_url(url)
