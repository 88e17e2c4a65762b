"""The options that every framework's adapter takes."""

import inspect
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, get_args
from urllib.parse import urlsplit

from unisights._checks import check_bool, check_choice, check_positive, check_seconds
from unisights.delivery import Background, Delivery, DeliveryName, Durable, Inline
from unisights.errors import ConfigurationError
from unisights.rejection import Rejection
from unisights.types import UnisightsPayload

if TYPE_CHECKING:
    # Type checkers bring this module along. Python's own has defaults from 3.13 on.
    from typing_extensions import TypeVar

    Request_contra = TypeVar("Request_contra", contravariant=True, default=Any)
else:
    from typing import TypeVar

    Request_contra = TypeVar("Request_contra", contravariant=True)

Handler = Callable[[UnisightsPayload, Request_contra], object]
"""A callable, sync or async, that is called with a payload and the framework's request."""

ErrorHandler = Callable[[UnisightsPayload, Exception], object]
"""A callable, sync or async, that is called with a payload and why it was not handled."""

RejectHandler = Callable[[Rejection], object]
"""A callable, sync or async, that is called with a rejection."""

InvalidEvents = Literal["reject", "quarantine"]
"""Whether a body with an invalid event is refused, or the invalid event is quarantined."""

_DELIVERIES = (Inline, Background, Durable)

_DEFAULT_PORTS = {"http": 80, "https": 443}


# Without slots: with them, the call of a generic class raises TypeError before Python 3.13.
@dataclass(frozen=True, kw_only=True)
class UnisightsOptions(Generic[Request_contra]):
    """How events are received; the same for every framework.

    For type checkers, it is generic in the class of the handler's second argument, such as
    `UnisightsOptions[RequestInfo]`; without one, that is `Any`.

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
        delivery: when the handler runs, see `unisights.delivery`: `Inline()` or `"inline"`,
            `Background(…)` or `"background"`, or `Durable("events.spool", …)`. None is the
            framework's default: `Background()` for Flask, `Inline()` for the others.
        on_error: what is called, sync or async, with a payload that was not handled and the
            exception: that of the handler, or UndeliveredError. In durable delivery it is called
            for payloads that become dead letters, not for those that are retried, and again for
            dead letters that are dropped because `dead_letter_bytes` is full. Failures are logged
            in any case.

    Raises:
        ConfigurationError: an option has a value that cannot work.
    """

    path: str = "/events"
    handler: Handler[Request_contra] | None = None
    validate_schema: bool = True
    validate_required_fields: bool = True
    max_payload_size: int = 1024 * 1024
    allow_origins: Collection[str] = ("*",)
    duplicate_window: float = 0.0
    debug: bool = False
    server_secret: str | bytes | None = None
    invalid_events: InvalidEvents = "reject"
    on_reject: RejectHandler | None = None
    delivery: Delivery | None = None
    on_error: ErrorHandler | None = None

    def __post_init__(self) -> None:
        _check_path(self.path)
        _check_callable("handler", self.handler, "payload", "request")
        _check_callable("on_error", self.on_error, "payload", "error")
        _check_callable("on_reject", self.on_reject, "rejection")
        for name in ("validate_schema", "validate_required_fields", "debug"):
            check_bool(name, getattr(self, name))
        check_positive("max_payload_size", self.max_payload_size)
        check_choice("invalid_events", self.invalid_events, InvalidEvents)
        check_seconds("duplicate_window", self.duplicate_window)
        _check_delivery(self.delivery)
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


def _check_delivery(delivery: object) -> None:
    if delivery == "durable":
        raise ConfigurationError(
            'delivery="durable" needs a file: delivery=Durable("events.spool")'
        )
    is_name = isinstance(delivery, str) and delivery in get_args(DeliveryName)
    if delivery is not None and not is_name and not isinstance(delivery, _DELIVERIES):
        raise ConfigurationError(
            'delivery must be Inline(), Background(), Durable("events.spool"), "inline" or '
            f'"background", not {delivery!r}'
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
