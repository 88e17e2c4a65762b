"""Options for tests: flat settings, as they come from parametrized tests and from JSON."""

from dataclasses import fields, replace
from typing import Any

from unisights import Background, Durable, Inline, Retry, UnisightsOptions
from unisights.delivery import Delivery

_KINDS: dict[str, type[Inline | Background | Durable]] = {
    "inline": Inline,
    "background": Background,
    "durable": Durable,
}


def make_options(*, delivery: str, **settings: Any) -> UnisightsOptions:
    """Make options; those of the delivery and of its `Retry` are given beside the others."""
    made = _make_delivery(_KINDS[delivery], settings)
    return UnisightsOptions(delivery=made, **settings)


def _make_delivery(kind: type[Any], settings: dict[str, Any]) -> Delivery:
    values = _take(settings, {field.name for field in fields(kind)})
    retry = _take(settings, {field.name for field in fields(Retry)})
    made: Delivery = kind(**values)
    return replace(made, retry=replace(made.retry, **retry)) if isinstance(made, Durable) else made


def _take(settings: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: settings.pop(name) for name in list(settings) if name in names}
