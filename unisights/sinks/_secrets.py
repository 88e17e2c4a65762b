"""Addresses as they may be shown: without what opens the door."""

import re

_PASSWORD = re.compile(r"(?<=://)([^@/?#]*):([^@/?#]*)@")
_QUERY = re.compile(r"(?i)((?:^|[?&\s])(?:\w*password|\w*secret|\w*token)=)('[^']*'|[^&\s]*)")


def without_password(url: str) -> str:
    """A URL, or a libpq connection string, with asterisks for each password in it."""
    return _QUERY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))
