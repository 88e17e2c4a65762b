"""A handler whose parameters want what they will not be given is refused when the app is made."""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, Protocol, TypeVar

import pytest

from tests.adapters.apps import ADAPTERS, Adapter, set_up_django
from unisights import Background, ConfigurationError, Durable, RequestInfo, UnisightsOptions
from unisights import UnisightsPayload as Payload
from unisights.delivery import Delivery
from unisights.sinks import JSONLinesSink

if importlib.util.find_spec("fastapi") is not None:
    from fastapi import Depends
else:

    def Depends(_function: Any) -> Any:  # type: ignore[no-redef]  # noqa: N802
        """Stand for FastAPI's."""


if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]

OWN = {
    "asgi": "unisights.RequestInfo",
    "asgi-middleware": "unisights.RequestInfo",
    "starlette": "unisights.RequestInfo",
    "fastapi": "fastapi.Request",
    "flask": "flask.Request",
    **dict.fromkeys(
        ["django", "django-async", "django-on-asgi", "django-async-on-wsgi"],
        "django.http.HttpRequest",
    ),
}
"""The class of the second argument with inline delivery, by adapter."""

CLASSES = sorted({*OWN.values(), "unisights.UnisightsPayload", "builtins.dict"})


def _class(path: str) -> type:
    module, _, name = path.rpartition(".")
    pytest.importorskip(module.partition(".")[0])
    found: type = getattr(importlib.import_module(module), name)
    return found


def _delivery(name: str, directory: Path) -> Delivery:
    if name == "inline":
        return "inline"
    return Background() if name == "background" else Durable(directory / "events.spool")


def _make(adapter: Adapter, handler: Any, delivery: Delivery) -> None:
    for package in adapter.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    if "django" in adapter.needs:
        set_up_django()
    _app, control = adapter.make_app(UnisightsOptions(handler=handler, delivery=delivery))
    control.close()


def _handler(annotation: Any) -> Callable[[Any, Any], None]:
    def handle(payload: Any, request: Any) -> None:
        """Handle nothing."""

    handle.__annotations__["request"] = annotation
    return handle


by_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


@by_adapter
@pytest.mark.parametrize("delivery", ["inline", "background", "durable"])
def test_only_the_own_request_is_accepted(adapter: Adapter, delivery: str, tmp_path: Path) -> None:
    """Of all classes of requests, one is accepted; for the others, the error says which it is."""
    own = OWN[adapter.name] if delivery == "inline" else "unisights.RequestInfo"
    for path in CLASSES:
        handler = _handler(_class(path))
        if path == own:
            _make(adapter, handler, _delivery(delivery, tmp_path))
            continue
        with pytest.raises(ConfigurationError, match=r"second parameter 'request'") as raised:
            _make(adapter, handler, _delivery(delivery, tmp_path))
        words = str(raised.value)
        assert _class(own).__qualname__ in words.partition("given a ")[2]
        assert ("deliver inline" in words) == (delivery != "inline" and path == OWN[adapter.name])


class _Base:
    """A base class of nothing."""


class _HasMethod(Protocol):
    method: str


class _Callable:
    """An object with a call."""

    def __call__(self, payload: Payload, request: "RequestInfo") -> None:
        """Handle nothing."""

    def handle(self, payload: Payload, request: "RequestInfo") -> None:
        """Handle nothing."""


class _WrongCallable:
    async def __call__(self, payload: Payload, request: "_Base") -> None:
        """Handle nothing."""


def _with_more(payload: Payload, request: RequestInfo, level: int = 3) -> None:
    """Handle nothing."""


def _with_session(
    payload: Payload, request: RequestInfo, *, session: Annotated[str, Depends(dict)] = ""
) -> None:
    """Handle nothing."""


def _with_named(*arguments: Any, request: _Base | None = None) -> None:
    """Handle nothing."""


def _with_all(*arguments: Any, **named: Any) -> None:
    """Handle nothing."""


def _with_unknown(payload: "Unknown", request: "Unknown") -> None:
    """Annotations that exist for type checkers only."""


def _with_broken(payload: Any, request: "1 / 0") -> None:  # type: ignore[valid-type]
    """An annotation that cannot be evaluated."""


_Any = TypeVar("_Any")


def _generic(payload: Payload, request: _Any) -> _Any:
    return request


ACCEPTED = {
    "any": _handler(Any),
    "object": _handler(object),
    "protocol": _handler(_HasMethod),
    "nothing": lambda payload, request: None,
    "string": _handler("RequestInfo"),
    "optional": _handler(Optional[RequestInfo]),  # noqa: UP045  # both spellings
    "union": _handler(RequestInfo | int),
    "union in a string": _handler("RequestInfo | int"),
    "annotated": _handler(Annotated[RequestInfo, "a note"]),
    "broken part": _handler(Annotated["Unknown", "a note"]),
    "unknown": _with_unknown,
    "broken": _with_broken,
    "type variable": _generic,
    "more": _with_more,
    "partial": functools.partial(_with_more, level=5),
    "partial that gives what was asked for": functools.partial(_with_session, session="open"),
    "named": _with_named,
    "all": _with_all,
    "object with a call": _Callable(),
    "method": _Callable().handle,
    "wrapped": functools.wraps(_with_more)(lambda *arguments: None),
    "built-in": max,
    "class": dict.fromkeys,
    "sink": JSONLinesSink("events.jsonl"),
}


@pytest.mark.parametrize("handler", ACCEPTED.values(), ids=ACCEPTED)
def test_what_may_be_right_is_accepted(handler: Any) -> None:
    """`Any`, base classes, protocols, and whatever cannot be resolved or understood."""
    from unisights.asgi import unisights_asgi

    unisights_asgi(UnisightsOptions(handler=handler))


REFUSED = {
    "string": _handler("_Base"),
    "optional": _handler(_Base | None),
    "annotated": _handler(Annotated["_Base", "a note"]),
    "object with a call": _WrongCallable(),
    "method": _WrongCallable().__call__,
    "partial": functools.partial(_WrongCallable(), *()),
    "wrapped": functools.wraps(_WrongCallable.__call__)(lambda *arguments: None).__get__(1),
    "cached": functools.cache(_handler("_Base")),
}


@pytest.mark.parametrize("handler", REFUSED.values(), ids=REFUSED)
def test_all_spellings_are_understood(handler: Any) -> None:
    """Strings, unions and `Annotated`, on functions, methods, partials and objects."""
    from unisights.asgi import unisights_asgi

    with pytest.raises(ConfigurationError, match=r"_Base"):
        unisights_asgi(UnisightsOptions(handler=handler))


def test_a_class_that_is_derived_from_the_request_is_accepted() -> None:
    """Flask's apps may have a `request_class` of their own."""
    flask = pytest.importorskip("flask")
    from unisights.flask import unisights_flask

    class OwnRequest(flask.Request):  # type: ignore[misc,name-defined]
        """As an app has it."""

    unisights_flask(UnisightsOptions(handler=_handler(OwnRequest), delivery="inline"))


@by_adapter
@pytest.mark.parametrize("delivery", ["inline", "background", "durable"])
def test_depends_is_refused(adapter: Adapter, delivery: str, tmp_path: Path) -> None:
    """As a default or an annotation, of any parameter that FastAPI would have filled in."""
    fastapi = pytest.importorskip("fastapi")
    depends, query = fastapi.Depends(lambda: None), fastapi.Query()

    def third(payload: Any, request: Any, session: Any = depends) -> None:
        """Handle nothing."""

    def second(payload: Any, session: Annotated["Unknown", depends]) -> None:
        """Handle nothing."""

    async def named(payload: Any, request: Any, *, session: Annotated[Any, depends] = None) -> None:
        """Handle nothing."""

    def parameter(payload: Any, page: Any = query) -> None:
        """Handle nothing."""

    for handler in (third, second, named, parameter, functools.partial(third)):
        with pytest.raises(ConfigurationError, match=r"Depends\(…\)|Query\(…\)") as raised:
            _make(adapter, handler, _delivery(delivery, tmp_path))
        assert _class(OWN[adapter.name]).__qualname__ in str(raised.value) or delivery != "inline"


@pytest.mark.parametrize("option", ["on_error", "on_reject"])
def test_depends_is_refused_elsewhere_too(option: str) -> None:
    """Nobody fills in the parameters of the other functions either."""
    fastapi = pytest.importorskip("fastapi")
    from unisights.asgi import unisights_asgi

    depends = fastapi.Depends(dict)

    def keep(first: Any, second: Any = depends) -> None:
        """Keep nothing."""

    functions: dict[str, Any] = {option: keep}
    with pytest.raises(ConfigurationError, match=rf"{option}: its parameter 'second' .*Depends"):
        unisights_asgi(UnisightsOptions(**functions))


def _swapped(request: RequestInfo, payload: Payload) -> None:
    """Handle nothing."""


def _swapped_half(request: RequestInfo, payload: Any) -> None:
    """Handle nothing."""


def _of_dict(payload: dict[str, Any], request: Any) -> None:
    """Handle nothing."""


def _keep_text(payload: Payload, error: str) -> None:
    """Keep nothing."""


def _keep_dict(rejection: dict[str, Any]) -> None:
    """Keep nothing."""


OTHERS = {
    "swapped": ("handler", _swapped, "first parameter 'request'", "payload, request"),
    "half": ("handler", _swapped_half, "first parameter 'request'", "payload, request"),
    "dict": ("handler", _of_dict, "first parameter 'payload'", "UnisightsPayload"),
    "on_error": ("on_error", _swapped_half, "first parameter", "payload, exception"),
    "error": ("on_error", _keep_text, "second parameter 'error'", "annotate it as Exception"),
    "on_reject": ("on_reject", _keep_dict, "first parameter", "annotate it as Rejection"),
}


@pytest.mark.parametrize(("option", "function", "place", "advice"), OTHERS.values(), ids=OTHERS)
def test_each_argument_is_checked(option: str, function: Any, place: str, advice: str) -> None:
    """The first one as well, of each function; the error says which order they have."""
    from unisights.asgi import unisights_asgi

    functions: dict[str, Any] = {option: function}
    with pytest.raises(ConfigurationError, match=place) as raised:
        unisights_asgi(UnisightsOptions(**functions))
    assert str(raised.value).startswith(f"{option}: ")
    assert advice in str(raised.value)


def test_what_is_passed_to_on_error_may_be_annotated_more_narrowly() -> None:
    """A class that is derived from the argument's, or the reverse, may be right."""
    from unisights.asgi import unisights_asgi

    def report(payload: object, error: ValueError) -> None:
        """Report nothing."""

    functions: dict[str, Any] = {"on_error": report}
    unisights_asgi(UnisightsOptions(**functions))


@pytest.mark.parametrize("name", ["BackgroundTasks", "Response", "Request"])
def test_what_fastapi_passes_by_its_class_is_refused(name: str) -> None:
    """Further parameters of these classes would always keep their defaults."""
    fastapi = pytest.importorskip("fastapi")
    from unisights.fastapi import unisights_fastapi

    wanted: Any = getattr(fastapi, name)

    def third(payload: Any, request: Any, more: wanted = None) -> None:
        """Handle nothing."""

    def named(payload: Any, request: Any, *, more: wanted | None = None) -> None:
        """Handle nothing."""

    for handler in (third, named):
        with pytest.raises(ConfigurationError, match=rf"parameter 'more' .* {name}, but FastAPI"):
            unisights_fastapi(UnisightsOptions(handler=handler))
