"""Refuses a handler whose parameters, by their annotations, want what they will never be given.

Such a handler would fail for each payload. What cannot be told from the annotations is accepted.
"""

import functools
import inspect
from types import SimpleNamespace, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from unisights.config import Handler
from unisights.errors import ConfigurationError
from unisights.request import RequestInfo


def check_handler(handler: Handler | None, framework_request: type, *, is_inline: bool) -> None:
    """Check the parameters of a handler.

    Args:
        handler: the user's, or None for none.
        framework_request: the class of the second argument with inline delivery.
        is_inline: whether the delivery is inline.

    Raises:
        ConfigurationError: a parameter asks for a dependency of FastAPI, or the second one for a
            request of another class.
    """
    given = framework_request if is_inline else RequestInfo
    parameters = [] if handler is None else _parameters(handler)
    for parameter in parameters:
        marker = _marker(parameter)
        if marker is not None:
            raise ConfigurationError(
                f"handler: its parameter {parameter.name!r} is declared with {marker}, but FastAPI "
                f"does not call the handler: it is called with the payload and the request, a "
                f"{_name(given)}, and nothing else; make what it needs in the handler, or in its "
                "method open"
            )
    second = parameters[1:2]
    if not second or _fits(second[0].annotation, given):
        return
    reason = "" if is_inline else ", as the delivery is not inline"
    remedy = f"annotate it as {given.__name__}"
    if not is_inline and _fits(second[0].annotation, framework_request):
        remedy += ", or deliver inline"
    raise ConfigurationError(
        f"handler: its second parameter {second[0].name!r} is annotated as "
        f"{_name(second[0].annotation)}, but it is given a {_name(given)}{reason}: {remedy}"
    )


def _parameters(handler: Handler) -> list[inspect.Parameter]:
    """The parameters, the positional ones first, with annotations as far as they can be resolved.

    Annotations are users' code, often written as strings, and may name what does not exist at run
    time. Such an annotation is left out.
    """
    try:
        parameters = [*inspect.signature(handler).parameters.values()]
        names = getattr(_function_of(handler), "__globals__", {})
    except Exception:  # noqa: BLE001
        return []
    return [p.replace(annotation=_resolve(p.annotation, names)) for p in parameters]


def _function_of(handler: Any) -> Any:
    """The function in whose module the annotations are to be read, if it is written in Python."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    handler = inspect.unwrap(handler)
    if not inspect.isroutine(handler):
        handler = inspect.unwrap(type(handler).__call__)
    return getattr(handler, "__func__", handler)


def _resolve(annotation: Any, names: dict[str, Any]) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, names, include_extras=True)["it"]
    except Exception:  # noqa: BLE001  # whatever evaluating the user's text raises
        return Any if isinstance(annotation, str) else annotation


def _marker(parameter: inspect.Parameter) -> str | None:
    """What FastAPI would read in a parameter, such as `Depends(…)`, if there is such a thing."""
    declared = [parameter.default]
    if get_origin(parameter.annotation) is Annotated:
        declared += parameter.annotation.__metadata__
    for value in declared:
        for kind in type(value).__mro__:
            if kind.__module__ == "fastapi.params":
                return f"{type(value).__name__}(…)"
    return None


def _fits(annotation: Any, given: type) -> bool:
    """Whether an argument of a class may be passed, as far as can be known."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _fits(annotation.__origin__, given)
    if origin in {Union, UnionType}:
        return any(_fits(member, given) for member in get_args(annotation))
    wanted = origin or annotation
    if wanted is Any or not isinstance(wanted, type) or getattr(wanted, "_is_protocol", False):
        return True
    try:
        # A framework may be told to make requests of a class that is derived from its own.
        return issubclass(given, wanted) or issubclass(wanted, given)
    except TypeError:
        return True


def _name(annotation: Any) -> str:
    if not isinstance(annotation, type):
        return str(annotation)
    return f"{annotation.__module__}.{annotation.__qualname__}"
