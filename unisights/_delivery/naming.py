"""How the log names endpoints and the user's functions."""

import functools
from typing import Any


def name_endpoint(place: str, handler: Any) -> str:
    """Name an endpoint by its place, such as its path, and by its handler if it has one."""
    return place if handler is None else f"{place} (handler {name_function(handler)})"


def name_function(function: Any) -> str:
    """Name a function, or an object that is called, by its module and its name in there."""
    while isinstance(function, functools.partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"
