"""Checks of the values that users give to options.

Each function takes the option's name first, and raises ConfigurationError if the value cannot work.
"""

from typing import Any, get_args

from unisights.errors import ConfigurationError

MAX_SECONDS = 24 * 60 * 60
"""The greatest wait that an option may ask for."""


def check_bool(name: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False")


def check_positive(name: str, number: object) -> None:
    """Refuse what is not a whole number of at least 1."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigurationError(f"{name} must be a positive whole number")


def check_seconds(name: str, seconds: object, *, greatest: int = MAX_SECONDS) -> None:
    """Refuse what is not a number of seconds from 0 to the greatest one."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds <= greatest:  # type: ignore[operator]
        raise ConfigurationError(f"{name} must be a number of seconds from 0 to {greatest}")


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse what is not one of the values of a `Literal` type."""
    if value not in get_args(choices):
        allowed = " or ".join(repr(choice) for choice in get_args(choices))
        raise ConfigurationError(f"{name} must be {allowed}, not {value!r}")
