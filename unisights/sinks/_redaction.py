"""Removes passwords from texts that are shown or logged."""

import re

_PASSWORD = re.compile(r"(?<=://)([^@/?#]*):([^@/?#]*)@")
_QUERY = re.compile(r"(?i)((?:^|[?&\s])(?:\w*password|\w*secret|\w*token)=)('[^']*'|[^&\s]*)")


def without_passwords(url: str) -> str:
    """Return a URL or a libpq connection string with `***` in place of each password."""
    return _QUERY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))
