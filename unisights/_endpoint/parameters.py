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
from unisights.rejection import Rejection
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}

_INJECTED = {
    "starlette.background.BackgroundTasks",
    "starlette.requests.HTTPConnection",
    "starlette.responses.Response",
    "fastapi.security.oauth2.SecurityScopes",
}
"""FastAPI passes an object of its own where it finds one of these classes in an annotation."""


def check_parameters(
    options: UnisightsOptions, framework_request: type, *, is_inline: bool
) -> None:
    """Check the parameters of the user's functions.

    Args:
        options: the endpoint's options.
        framework_request: the class of the handler's second argument with inline delivery.
        is_inline: whether the delivery is inline.

    Raises:
        ConfigurationError: a parameter asks for what FastAPI would fill in, or is annotated with
            another class than that of the argument which it will be given.
    """
    request = framework_request if is_inline else RequestInfo
    given: dict[str, dict[str, type]] = {
        "handler": {"payload": UnisightsPayload, "request": request},
        "on_error": {"payload": UnisightsPayload, "exception": Exception},
        "on_reject": {"rejection": Rejection},
    }
    for option, arguments in given.items():
        function = getattr(options, option)
        parameters = [] if function is None else _parameters(function)
        _refuse_dependencies(option, parameters, arguments)
        hint = ""
        if option == "handler" and not is_inline:
            hint = _hint_at_inline(parameters, framework_request)
        _refuse_other_classes(option, parameters, arguments, hint)


def _refuse_dependencies(
    option: str, parameters: list[inspect.Parameter], arguments: dict[str, type]
) -> None:
    more = [each for each in parameters if each.kind in _POSITIONAL][len(arguments) :]
    more += [each for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    for parameter in parameters:
        marker = _marker(parameter)
        if marker is None and parameter in more:
            marker = _injected(parameter.annotation)
        if marker is not None:
            words = " and ".join(f"a {_name(given)}" for given in arguments.values())
            raise ConfigurationError(
                f"{option}: its parameter {parameter.name!r} is declared with {marker}, but "
                f"FastAPI does not call it: it is given {words}, and nothing else; let it "
                "make what it needs, or the handler's method open"
            )


def _refuse_other_classes(
    option: str, parameters: list[inspect.Parameter], arguments: dict[str, type], hint: str
) -> None:
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    order = ", ".join(arguments)
    for place, parameter, given in zip(
        ("first", "second"), positional, arguments.values(), strict=False
    ):
        if _fits(parameter.annotation, given):
            continue
        remedy = f"annotate it as {given.__name__}"
        if place == "second":
            remedy += hint
        raise ConfigurationError(
            f"{option}: its {place} parameter {parameter.name!r} is annotated as "
            f"{_name(parameter.annotation)}, but it is given a {_name(given)}: {remedy}; "
            f"the arguments are, in this order: {order}"
        )


def _hint_at_inline(parameters: list[inspect.Parameter], framework_request: type) -> str:
    """The other remedy for a handler that wants the framework's own request."""
    for second in [each for each in parameters if each.kind in _POSITIONAL][1:2]:
        if _fits(second.annotation, framework_request):
            return ", or deliver inline"
    return ""


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


def _injected(annotation: Any) -> str | None:
    """The class for which FastAPI would pass an object of its own, if an annotation names one."""
    for each in (annotation, *get_args(annotation)):
        for kind in each.__mro__ if isinstance(each, type) else ():
            if _name(kind) in _INJECTED:
                return str(each.__name__)
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
