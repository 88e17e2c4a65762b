"""The spellings of an endpoint's path.

Frameworks redirect from a path without the trailing slash to the one with it, or the other way
round. No beacon follows a redirect, so an endpoint serves both.
"""


def spellings(path: str) -> tuple[str, ...]:
    """Return a path as it is, with one trailing slash, and without; each once."""
    bare = path.rstrip("/")
    return tuple(dict.fromkeys((path, f"{bare}/", bare or "/")))
