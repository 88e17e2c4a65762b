"""UnisightsOptions: a wrong value is refused at construction, and the message names its option."""

from pathlib import Path
from typing import Any

import pytest

from unisights import ConfigurationError, UnisightsOptions


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
        ("rejected_bytes", 0),
        ("delivery", "durable"),
        ("delivery", True),
        ("on_error", "log"),
        ("on_error", lambda payload: None),
        ("queue_size", 0),
        ("queue_bytes", "1"),
        ("max_concurrency", -1),
        ("drain_timeout", -1),
        ("drain_timeout", float("inf")),
        ("drain_timeout", float("nan")),
        ("drain_timeout", None),
        ("duplicate_window", -1),
        ("duplicate_window", True),
        ("duplicate_window", None),
        ("duplicate_window", 24 * 60 * 60 + 1),
        ("spool", ""),
        ("spool", 5),
        ("spool", "events.spool"),
        ("durability", "fsync"),
        ("durability", None),
        ("spool_bytes", 0),
        ("ordered", 1),
        ("retry_delay", -1),
        ("retry_max_delay", float("inf")),
        ("max_attempts", 0),
        ("max_age", "1 d"),
        ("dead_letter_bytes", -1),
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


@pytest.mark.parametrize("spool", ["events.spool", Path("events.spool")])
def test_durable_delivery_needs_a_spool(spool: Any) -> None:
    """Durable delivery without `spool` is refused; the path may be a str or a Path."""
    with pytest.raises(ConfigurationError, match="needs spool"):
        UnisightsOptions(delivery="durable")
    assert UnisightsOptions(delivery="durable", spool=spool).spool == spool


def test_durable_delivery_needs_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without `fcntl`, such as Windows, the options are refused with a clear error."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="locks that this system does not have"):
        UnisightsOptions(delivery="durable", spool="events.spool")


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
