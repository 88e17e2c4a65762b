"""The options that every framework's adapter takes."""

import inspect
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from unisights.errors import ConfigurationError
from unisights.rejection import Rejection
from unisights.types import UnisightsPayload

Handler = Callable[[UnisightsPayload, Any], object]
"""A callable, sync or async, that is called with a payload and the framework's request."""

ErrorHandler = Callable[[UnisightsPayload, Exception], object]
"""A callable, sync or async, that is called with a payload and why it was not handled."""

RejectHandler = Callable[[Rejection], object]
"""A callable, sync or async, that is called with a rejection."""

InvalidEvents = Literal["reject", "quarantine"]
"""Whether a body with an invalid event is refused, or the invalid event is quarantined."""

DeliveryMode = Literal["inline", "background", "durable"]
"""When the handler runs: before the response; or after it, from memory or from a file."""

Durability = Literal["process", "power"]
"""What a payload in the spool survives: the end of the process, or a power failure, too."""

_MAX_SECONDS = 24 * 60 * 60

_MAX_AGE = 365 * _MAX_SECONDS

_SIZES = (
    "max_payload_size",
    "queue_size",
    "queue_bytes",
    "max_concurrency",
    "spool_bytes",
    "max_attempts",
    "dead_letter_bytes",
    "rejected_bytes",
)

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnisightsOptions:
    """How events are received; the same for every framework.

    Attributes:
        path: the endpoint's path; it begins with a slash. Django takes it from the URLconf instead.
        handler: what is called with each payload and the framework's request: a function, sync
            or async, a lambda, a partial, a bound method, or an object with `__call__`. Without
            one, payloads are validated and acknowledged, and stored nowhere.
        validate_schema: refuse payloads with values that break the schema (types, bounds,
            patterns). When off, the handler gets the values as they were sent. Payloads are then
            still refused if they lack the objects, arrays and event types that the dataclasses
            are made of.
        validate_required_fields: refuse payloads that lack what the schema requires. When off,
            a missing value is None, and a missing object or list is empty.
        max_payload_size: the largest body that is accepted, in bytes.
        allow_origins: the origins whose pages may send events, as browsers write them:
            `https://example.com`, without a trailing slash. `["*"]` allows every origin. Requests
            without an Origin header, such as those of servers and curl, are always allowed.
        duplicate_window: for how many seconds the body of an accepted payload is remembered. A
            payload with the same bytes is dropped within that time, counted, and answered as the
            first one was. 0 is off, because senders other than browsers may mean to send the same
            twice. A payload is accepted once its handler has succeeded, or it is queued, or it is
            in the spool. Each process remembers the last 65,536 payloads; with a spool, all
            processes together remember the last 1,000,000.
        debug: say in a 500 response why the handler failed, and log what payloads hold.
        server_secret: the secret that server-side senders encrypt with. When it is set, payloads
            that were encrypted without it are refused; plain payloads are still accepted.
        invalid_events: what is done with a body in which nothing but events is invalid.
            `"reject"`: it is refused. `"quarantine"`: its valid events are accepted, the invalid
            ones are quarantined, and the response says how many these were.
        on_reject: what is called with a Rejection, sync or async, before the response: for each
            body that is refused with 400 or 422 after it was read, and for each body with
            quarantined events. What it raises is logged.

        delivery: when the handler runs. `"inline"`: before the response, which is 200, or 500 if
            the handler failed. `"background"`: after the response, which is 202, from a queue in
            memory. `"durable"`: after the response, which is 202 and is sent once the payload is
            in the spool, from the spool. None is the framework's default: background for Flask,
            inline for the others.
        on_error: what is called, sync or async, with a payload that was not handled and the
            exception: that of the handler, or UndeliveredError. With a spool it is called for
            payloads that become dead letters, not for those that are retried, and again for dead
            letters that are dropped because `dead_letter_bytes` is full. Failures are logged in
            any case.
        queue_size: how many payloads may be in the background queue; when it is full, the
            response is 503. With a spool: how many waiting payloads each process holds in memory;
            the others are in the file only.
        queue_bytes: how many bytes of payloads, as received, may be in the background queue;
            likewise.
        max_concurrency: how many handlers may run at once in each process, in the background or
            from the spool.
        drain_timeout: how long the end of the process waits for payloads in the background
            queue, or, with a spool, for running handlers, in seconds. After that, `on_error` may
            take up to 5 s and the handler's `close` up to 10 s. So it has to be well below the
            time that the process is given to end, such as 10 s by `docker stop`.

        spool: the file in which durable delivery keeps payloads, on a local disk. Each handler
            needs a file of its own; all processes of the host with that handler share it. It is
            made if it does not exist.
        durability: what an acknowledged payload survives. `"process"`: the end of the process,
            also by SIGKILL. `"power"`: a crash of the host, too; each response then waits for the
            disk (fsync).
        spool_bytes: how many bytes of payloads and their requests may wait in the spool; when it
            is full, the response is 503.
        ordered: deliver the payloads of one session one after the other, in the order in which
            they were stored. Later payloads of the session wait while an earlier one is retried.
        retry_delay: the greatest wait after a payload's first failure, in seconds. It doubles
            with each further failure; the actual wait is a random part of it.
        retry_max_delay: the greatest wait after any failure, in seconds.
        max_attempts: the number of attempts after which a payload becomes a dead letter.
        max_age: the age at which a payload that waits is not attempted again but becomes a dead
            letter, in seconds.
        dead_letter_bytes: how many bytes of dead letters are kept; the oldest are dropped first.
        rejected_bytes: how many bytes of rejected records are kept in the spool; the oldest are
            dropped first, and the newest is kept in any case.

    Raises:
        ConfigurationError: an option has a value that cannot work.
    """

    path: str = "/events"
    handler: Handler | None = None
    validate_schema: bool = True
    validate_required_fields: bool = True
    max_payload_size: int = 1024 * 1024
    allow_origins: Collection[str] = ("*",)
    duplicate_window: float = 0.0
    debug: bool = False
    server_secret: str | bytes | None = None
    invalid_events: InvalidEvents = "reject"
    on_reject: RejectHandler | None = None
    delivery: DeliveryMode | None = None
    on_error: ErrorHandler | None = None
    queue_size: int = 1000
    queue_bytes: int = 64 * 1024 * 1024
    max_concurrency: int = 10
    drain_timeout: float = 8.0
    spool: str | os.PathLike[str] | None = None
    durability: Durability = "process"
    spool_bytes: int = 1024 * 1024 * 1024
    ordered: bool = False
    retry_delay: float = 1.0
    retry_max_delay: float = 600.0
    max_attempts: int = 50
    max_age: float = 7 * 24 * 60 * 60
    dead_letter_bytes: int = 256 * 1024 * 1024
    rejected_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        _check_path(self.path)
        _check_callable("handler", self.handler, "payload", "request")
        _check_callable("on_error", self.on_error, "payload", "error")
        _check_callable("on_reject", self.on_reject, "rejection")
        for name in ("validate_schema", "validate_required_fields", "debug", "ordered"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name} must be True or False")
        for name in _SIZES:
            _check_size(name, getattr(self, name))
        _check_choice("invalid_events", self.invalid_events, InvalidEvents)
        _check_choice("delivery", self.delivery, DeliveryMode, is_optional=True)
        _check_choice("durability", self.durability, Durability)
        for name in ("duplicate_window", "drain_timeout", "retry_delay", "retry_max_delay"):
            _check_seconds(name, getattr(self, name))
        _check_seconds("max_age", self.max_age, _MAX_AGE)
        _check_spool(self.spool, is_used=self.delivery == "durable")
        _check_origins(self.allow_origins)
        _check_secret(self.server_secret)


def _check_path(path: object) -> None:
    if not isinstance(path, str) or not re.fullmatch(r"/[^\s?#{}<>]*", path):
        raise ConfigurationError(
            f"path must begin with a slash and hold no blanks, brackets, '?' or '#', such as "
            f"'/events', not {path!r}"
        )


def _check_callable(name: str, value: object, *arguments: str) -> None:
    if value is None:
        return
    if not callable(value):
        raise ConfigurationError(f"{name} must be callable, not {type(value).__name__}")
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return  # Some callables that are written in C have no signature.
    try:
        signature.bind(*arguments)
    except TypeError:
        count = "one argument" if len(arguments) == 1 else "two arguments"
        raise ConfigurationError(
            f"{name} must take {count}, ({', '.join(arguments)}); this one takes {signature}"
        ) from None


def _check_size(name: str, size: object) -> None:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ConfigurationError(f"{name} must be a positive whole number")


def _check_seconds(name: str, seconds: object, greatest: int = _MAX_SECONDS) -> None:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds <= greatest:  # type: ignore[operator]
        raise ConfigurationError(f"{name} must be a number of seconds from 0 to {greatest}")


def _check_choice(name: str, value: object, choices: Any, *, is_optional: bool = False) -> None:
    if value not in get_args(choices) and not (is_optional and value is None):
        allowed = " or ".join(repr(choice) for choice in get_args(choices))
        raise ConfigurationError(f"{name} must be {allowed}, not {value!r}")


def _check_spool(spool: object, *, is_used: bool) -> None:
    if spool is None:
        if is_used:
            raise ConfigurationError('delivery="durable" needs spool, a file: spool="events.spool"')
        return
    if not isinstance(spool, str | os.PathLike) or not os.fspath(spool):
        raise ConfigurationError(f"spool must be the path of a file, not {spool!r}")
    if not is_used:
        raise ConfigurationError('spool is used with delivery="durable" only')
    from importlib.util import find_spec  # noqa: PLC0415  # takes a while, for few

    if find_spec("fcntl") is None:
        raise ConfigurationError(
            'delivery="durable" needs locks that this system does not have; use Linux, macOS or '
            'another Unix, or delivery="inline"'
        )


def _check_secret(secret: object) -> None:
    if secret is not None and (not isinstance(secret, str | bytes) or not secret):
        raise ConfigurationError("server_secret must be a non-empty str or bytes, or None")


def _check_origins(origins: object) -> None:
    if isinstance(origins, str) or not isinstance(origins, Collection):
        raise ConfigurationError(f'allow_origins must be a list such as ["*"], not {origins!r}')
    for origin in origins:
        _check_origin(origin)


def _check_origin(origin: object) -> None:
    wanted = 'write it as browsers do, such as "https://example.com"'
    if not isinstance(origin, str):
        raise ConfigurationError(f"allow_origins holds {origin!r}, which is not a string")
    if origin in {"*", "null"}:
        return
    if "*" in origin:
        raise ConfigurationError(f'allow_origins holds {origin!r}: only "*" alone is a wildcard')
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"allow_origins holds {origin!r}: {wanted}") from None
    is_bare = re.fullmatch(r"[^\s@]*[^\s@:]", parts.netloc)
    if not parts.scheme or not is_bare:
        raise ConfigurationError(f"allow_origins holds {origin!r}: {wanted}")
    if parts.path or parts.query or parts.fragment:
        raise ConfigurationError(
            f"allow_origins holds {origin!r}: an origin has no path and no trailing slash; {wanted}"
        )
    if port is not None and port == _DEFAULT_PORTS.get(parts.scheme):
        raise ConfigurationError(
            f"allow_origins holds {origin!r}: browsers leave the default port out; {wanted}"
        )
    if origin != origin.lower():
        raise ConfigurationError(f"allow_origins holds {origin!r}: browsers write it in lower case")
    if not origin.isascii():
        raise ConfigurationError(
            f"allow_origins holds {origin!r}: browsers write it in Punycode (xn--…)"
        )
