"""Reads a sink's options from its URL, for the `from_url` of each sink."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from unisights.errors import ConfigurationError
from unisights.sinks._redaction import without_passwords


def wrong_url(url: str, wanted: str) -> ConfigurationError:
    """The error for a URL that does not have the form that a sink takes."""
    return ConfigurationError(f"sink {without_passwords(url)!r}: must be {wanted}")


def split_options(
    url: str, kinds: Mapping[str, Callable[[str], Any]]
) -> tuple[str, dict[str, Any]]:
    """Split a URL into the part for the client library and the options of the sink.

    Args:
        url: the URL, with the options in its query.
        kinds: the sink's options: for each name, a function that reads its value from text. The
            rest of the query stays in the URL.

    Raises:
        ConfigurationError: an option's value cannot be read.
    """
    base, _, query = url.partition("?")
    options: dict[str, Any] = {}
    rest: list[tuple[str, str]] = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in kinds:
            rest.append((name, value))
            continue
        try:
            options[name] = kinds[name](value)
        except ValueError:
            raise ConfigurationError(
                f"sink {without_passwords(url)!r}: {name} cannot be {value!r}"
            ) from None
    return f"{base}?{urlencode(rest)}" if rest else base, options


def read_path(url: str, scheme: str) -> str:
    """The path in `SCHEME:PATH` or `SCHEME:///PATH`; a fourth slash begins at the root.

    Raises:
        ConfigurationError: the URL holds no path.
    """
    found = re.fullmatch(rf"{scheme}:(?:///)?([^/].*|/[^/].*)", url)
    if found is None or "\0" in unquote(found[1]):
        raise wrong_url(url, f"{scheme}:///FILE, or {scheme}:////FILE from the root")
    return unquote(found[1])


def read_flag(text: str) -> bool:
    """A boolean, written `0`, `1`, `false` or `true`.

    Raises:
        ValueError: it is written otherwise.
    """
    if text not in {"0", "1", "false", "true"}:
        raise ValueError
    return text in {"1", "true"}
