"""Refuses functions whose annotations ask for arguments that they will never be given.

Such a function would fail for each payload. What cannot be told from the annotations is accepted.
"""

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from unisights.config import UnisightsOptions
from unisights.errors import ConfigurationError
from unisights.request import RequestInfo

_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


def check_parameters(
    options: UnisightsOptions, framework_request: type, *, is_inline: bool
) -> None:
    """Check the parameters of the user's functions.

    Args:
        options: the endpoint's options.
        framework_request: the class of the handler's second argument with inline delivery.
        is_inline: whether the delivery is inline.

    Raises:
        ConfigurationError: a parameter asks for a dependency of FastAPI, or the handler's second
            one for a request of another class.
    """
    given = framework_request if is_inline else RequestInfo
    arguments = {
        "handler": f"the payload and a {_name(given)}",
        "on_error": "the payload and the exception",
        "on_reject": "the rejection",
    }
    for option, words in arguments.items():
        function = getattr(options, option)
        parameters = [] if function is None else _parameters(function)
        _refuse_dependencies(option, parameters, words)
        if option == "handler":
            _refuse_other_request(parameters, framework_request, is_inline=is_inline)


def _refuse_dependencies(option: str, parameters: list[inspect.Parameter], words: str) -> None:
    for parameter in parameters:
        marker = _marker(parameter)
        if marker is not None:
            raise ConfigurationError(
                f"{option}: its parameter {parameter.name!r} is declared with {marker}, but "
                f"FastAPI does not call it: it is given {words}, and nothing else; let it "
                "make what it needs, or the handler's method open"
            )


def _refuse_other_request(
    parameters: list[inspect.Parameter], framework_request: type, *, is_inline: bool
) -> None:
    given = framework_request if is_inline else RequestInfo
    for second in [each for each in parameters if each.kind in _POSITIONAL][1:2]:
        if _fits(second.annotation, given):
            return
        reason = "" if is_inline else ", as the delivery is not inline"
        remedy = f"annotate it as {given.__name__}"
        if not is_inline and _fits(second.annotation, framework_request):
            remedy += ", or deliver inline"
        raise ConfigurationError(
            f"handler: its second parameter {second.name!r} is annotated as "
            f"{_name(second.annotation)}, but it is given a {_name(given)}{reason}: {remedy}"
        )


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that are not given yet, with annotations as far as they can be resolved.

    Annotations are users' code, often written as strings, and may name what does not exist at run
    time. Such an annotation is left out.
    """
    try:
        parameters = inspect.signature(function).parameters
        names = getattr(_function_behind(function), "__globals__", {})
    except Exception:  # noqa: BLE001
        return []
    given = function.keywords if isinstance(function, functools.partial) else {}
    return [
        each.replace(annotation=_resolve(each.annotation, names))
        for name, each in parameters.items()
        if name not in given
    ]


def _function_behind(function: Any) -> Any:
    """The function in whose module the annotations are to be read, if it is written in Python."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if not inspect.isroutine(function):
        function = inspect.unwrap(type(function).__call__)
    return getattr(function, "__func__", function)


def _resolve(annotation: Any, names: dict[str, Any]) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, names, include_extras=True)["it"]
    except Exception:  # noqa: BLE001  # whatever evaluating the user's text raises
        return Any if isinstance(annotation, str) else annotation


def _marker(parameter: inspect.Parameter) -> str | None:
    """The name of what FastAPI would read in a parameter, such as `Depends(…)`; else None."""
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
