"""UnisightsOptions: a wrong value is refused at construction, and the message names its option."""

from pathlib import Path
from typing import Any

import pytest

from unisights import (
    Background,
    ConfigurationError,
    Durable,
    Inline,
    RequestInfo,
    Retry,
    UnisightsOptions,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", "events"),
        ("path", ""),
        ("path", "/a b"),
        ("path", "/a?b"),
        ("path", "/{id}"),
        ("path", None),
        ("handler", "print"),
        ("handler", lambda payload: None),
        ("handler", lambda a, b, c: None),
        ("validate_schema", 1),
        ("validate_required_fields", None),
        ("debug", "yes"),
        ("max_payload_size", 0),
        ("max_payload_size", -1),
        ("max_payload_size", 1.5),
        ("max_payload_size", True),
        ("allow_origins", "*"),
        ("allow_origins", None),
        ("allow_origins", [1]),
        ("allow_origins", ["https://a.example/"]),
        ("allow_origins", ["https://a.example/path"]),
        ("allow_origins", ["a.example"]),
        ("allow_origins", ["https://*.example"]),
        ("allow_origins", ["https://a.example:443"]),
        ("allow_origins", ["https://A.example"]),
        ("allow_origins", ["https://bücher.example"]),
        ("allow_origins", ["https://user@a.example"]),
        ("allow_origins", ["https://a.example:port"]),
        ("path", "/a<b>"),
        ("allow_origins", [["https://a.example"]]),
        ("allow_origins", ["https://a.example:"]),
        ("allow_origins", ["https://a b"]),
        ("invalid_events", "drop"),
        ("invalid_events", None),
        ("on_reject", "log"),
        ("on_reject", lambda: None),
        ("on_reject", lambda payload, error: None),
        ("delivery", "durable"),
        ("delivery", True),
        ("delivery", "Inline"),
        ("delivery", Durable),
        ("delivery", 5),
        ("on_error", "log"),
        ("on_error", lambda payload: None),
        ("duplicate_window", -1),
        ("duplicate_window", True),
        ("duplicate_window", None),
        ("duplicate_window", 24 * 60 * 60 + 1),
        ("server_secret", ""),
        ("server_secret", 5),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: Any) -> None:
    """The error comes at construction and names the option."""
    with pytest.raises(ConfigurationError, match=name):
        UnisightsOptions(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("path", "/"),
        ("path", "/api/v1/events"),
        ("handler", print),
        ("handler", max),
        ("allow_origins", []),
        ("allow_origins", ("null", "https://a.example", "http://localhost:3000")),
        ("allow_origins", {"https://xn--bcher-kva.example"}),
        ("allow_origins", ["http://[::1]:8000"]),
        ("server_secret", b"\x00"),
    ],
)
def test_a_right_value_is_taken(name: str, value: Any) -> None:
    """A value that can work is kept as it is."""
    assert getattr(UnisightsOptions(**{name: value}), name) == value


_BOUNDS: list[tuple[str, Any]] = [
    ("queue_size", 0),
    ("queue_bytes", "1"),
    ("max_concurrency", -1),
    ("drain_timeout", -1),
    ("drain_timeout", float("inf")),
    ("drain_timeout", float("nan")),
    ("drain_timeout", None),
]


@pytest.mark.parametrize(("name", "value"), _BOUNDS)
def test_a_wrong_bound_of_background_delivery_is_refused(name: str, value: Any) -> None:
    """The error comes at construction; it names the delivery and its option."""
    with pytest.raises(ConfigurationError, match=f"Background: {name}"):
        Background(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *_BOUNDS,
        ("spool", ""),
        ("spool", 5),
        ("spool", b"events.spool"),
        ("durability", "fsync"),
        ("durability", None),
        ("spool_bytes", 0),
        ("ordered", 1),
        ("retry", 5),
        ("max_age", "1 d"),
        ("dead_letter_bytes", -1),
        ("rejected_bytes", 0),
    ],
)
def test_a_wrong_value_of_durable_delivery_is_refused(name: str, value: Any) -> None:
    """Likewise."""
    with pytest.raises(ConfigurationError, match=f"Durable: {name}"):
        Durable(**{"spool": "events.spool", name: value})


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (Inline, {"queue_size": 5}),
        (Background, {"ordered": True}),
        (Background, {"retry": Retry(attempts=2)}),
        (Durable, {"spool": "events.spool", "linger": 1}),
        (UnisightsOptions, {"queue_size": 5}),
        (UnisightsOptions, {"spool": "events.spool"}),
    ],
)
def test_an_option_of_another_delivery_is_refused(kind: Any, arguments: dict[str, Any]) -> None:
    """What means nothing in a delivery cannot be given to it; the error names it."""
    with pytest.raises(TypeError, match=list(arguments)[-1]):
        kind(**arguments)


@pytest.mark.parametrize("spool", ["events.spool", Path("events.spool")])
def test_the_spool_is_a_path(spool: Any) -> None:
    """It may be a str or a Path; it is the one argument that may be given by position."""
    durable = Durable(spool)
    assert durable == Durable(spool=spool)
    assert UnisightsOptions(delivery=durable).delivery is durable


def test_a_name_is_not_enough_for_durable_delivery() -> None:
    """`delivery="durable"` is refused, and the message says what to write instead."""
    with pytest.raises(ConfigurationError, match=r'delivery=Durable\("events.spool"\)'):
        UnisightsOptions(delivery="durable")  # type: ignore[arg-type]


def test_durable_delivery_needs_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without `fcntl`, such as Windows, the options are refused with a clear error."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="this system has no locks for files"):
        Durable("events.spool")


def test_the_defaults() -> None:
    """The defaults are those of the product's page."""
    options = UnisightsOptions()
    assert options.path == "/events"
    assert options.handler is None
    assert options.validate_schema is True
    assert options.validate_required_fields is True
    assert options.max_payload_size == 1024 * 1024
    assert list(options.allow_origins) == ["*"]
    assert options.debug is False


def test_options_cannot_change() -> None:
    """The options of a running endpoint cannot be changed."""
    with pytest.raises(AttributeError):
        UnisightsOptions().path = "/other"  # type: ignore[misc]


def test_the_class_of_the_request_may_be_named() -> None:
    """For type checkers; the options are the same without it."""
    assert UnisightsOptions[RequestInfo](path="/a") == UnisightsOptions(path="/a")
