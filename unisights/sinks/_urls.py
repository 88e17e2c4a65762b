"""From a URL, as a command line has it, to a sink."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from unisights.config import Handler
from unisights.errors import ConfigurationError, SinkError
from unisights.sinks._secrets import without_password

FORMS = (
    "sqlite:///FILE, jsonl:FILE, postgresql://HOST/DATABASE, redis://HOST/0?stream=KEY, "
    "kafka://HOST:9092/TOPIC"
)
"""What a URL may look like, for help and messages."""


@dataclass(frozen=True)
class Destination:
    """A sink, and what to tell a person of it.

    Attributes:
        sink: the handler; it has `open` and `close`.
        shown: where it stores, without passwords.
        look: a command that shows what was stored.
    """

    sink: Handler
    shown: str
    look: str


def destination(url: str) -> Destination:
    """Make the sink that a URL names.

    Raises:
        ConfigurationError: the URL names no sink, or one that cannot be.
        SinkError: what the sink needs is not installed.
    """
    scheme, colon, _ = url.partition(":")
    make = _MAKERS.get(scheme)
    if make is None or not colon:
        raise ConfigurationError(f"sink {without_password(url)!r}: must be one of {FORMS}")
    try:
        return make(url)
    except ImportError as error:
        raise SinkError(str(error)) from error
    except ValueError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"sink {without_password(url)!r}: {error}") from error


def sqlite_destination(path: Path) -> Destination:
    """A SQLite file as a destination."""
    from unisights.sinks import SQLiteSink  # noqa: PLC0415  # as the others below

    query = "SELECT type, count(*) FROM events GROUP BY type"
    look = f"sqlite3 {shlex.quote(str(path))} {shlex.quote(query)}"
    return Destination(SQLiteSink(path), str(path.resolve()), look)


def _sqlite(url: str) -> Destination:
    return sqlite_destination(Path(_file(url, "sqlite")))


def _jsonl(url: str) -> Destination:
    from unisights.sinks import JSONLinesSink  # noqa: PLC0415  # needs a POSIX system

    base, options = _options(url, {"max_bytes": int, "max_files": int, "fsync": _flag})
    path = Path(_file(base, "jsonl"))
    look = f"tail {shlex.quote(str(path))}"
    return Destination(JSONLinesSink(path, **options), str(path.resolve()), look)


def _postgresql(url: str) -> Destination:
    from unisights.sinks import PostgresSink  # noqa: PLC0415  # an extra

    dsn, options = _options(url, {"schema": str})
    schema = options.get("schema", "unisights")
    query = f'SELECT type, count(*) FROM "{schema}".events GROUP BY type'  # noqa: S608  # shown
    shown = without_password(dsn)
    look = f"psql {shlex.quote(shown)} -c {shlex.quote(query)}"
    return Destination(PostgresSink(dsn, **options), shown, look)


def _redis(url: str) -> Destination:
    from unisights.sinks import RedisStreamSink  # noqa: PLC0415  # an extra

    kinds: dict[str, Callable[[str], Any]] = {"stream": str, "maxlen": int, "approximate": _flag}
    base, options = _options(url, kinds)
    stream = options.setdefault("stream", "unisights")
    shown = without_password(base)
    look = f"redis-cli -u {shlex.quote(shown)} XREVRANGE {shlex.quote(stream)} + - COUNT 1"
    return Destination(RedisStreamSink(base, **options), f"{shown} stream {stream}", look)


def _kafka(url: str) -> Destination:
    from unisights.sinks import KafkaSink  # noqa: PLC0415  # an extra

    # Several brokers are no host that `urlsplit` would know.
    found = re.fullmatch(r"kafka://([^/?#@]+)/([\w.-]+)", url)
    if found is None:
        raise ConfigurationError(
            f"sink {without_password(url)!r}: must be kafka://HOST:9092/TOPIC; settings such as "
            "passwords need an app of your own"
        )
    servers, topic = found.groups()
    look = f"kcat -C -b {servers} -t {topic} -o -1 -c 1"
    return Destination(KafkaSink(servers, topic), url, look)


_MAKERS: dict[str, Callable[[str], Destination]] = {
    "sqlite": _sqlite,
    "jsonl": _jsonl,
    "postgresql": _postgresql,
    "postgres": _postgresql,
    "redis": _redis,
    "rediss": _redis,
    "kafka": _kafka,
}


def _file(url: str, scheme: str) -> str:
    """The path in `scheme:path` or `scheme:///path`; an absolute one has a fourth slash."""
    found = re.fullmatch(rf"{scheme}:(?:///)?([^/].*|/[^/].*)", url)
    if found is None:
        raise ConfigurationError(
            f"sink {url!r}: must be {scheme}:///FILE, or {scheme}:////FILE from the root"
        )
    return unquote(found[1])


def _options(url: str, kinds: dict[str, Callable[[str], Any]]) -> tuple[str, dict[str, Any]]:
    """Take a sink's own options out of a URL's query; the rest is the client's."""
    base, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    options: dict[str, Any] = {}
    for name, value in pairs:
        if name in kinds:
            try:
                options[name] = kinds[name](value)
            except ValueError:
                raise ConfigurationError(
                    f"sink {without_password(url)!r}: {name} cannot be {value!r}"
                ) from None
    rest = [(name, value) for name, value in pairs if name not in kinds]
    return f"{base}?{urlencode(rest)}" if rest else base, options


def _flag(text: str) -> bool:
    if text not in {"0", "1", "false", "true"}:
        raise ValueError
    return text in {"1", "true"}
