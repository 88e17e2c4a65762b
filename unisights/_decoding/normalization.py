"""Replaces the parts of JSON that decoders refuse: byte order marks and lone surrogates."""

import re

_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

_BOM = b"\xef\xbb\xbf"


def normalize(body: bytes) -> bytes:
    """Remove a byte order mark, and replace lone surrogates by U+FFFD.

    A body with a byte 0 is not JSON, so its surrogates stay.
    """
    body = body.removeprefix(_BOM)
    if (b"\\ud" not in body and b"\\uD" not in body) or b"\0" in body:
        return body
    # An escaped backslash does not begin an escape.
    hidden = body.replace(rb"\\", b"\0\0")
    return _LONE_SURROGATE.sub(rb"\\ufffd", hidden).replace(b"\0\0", rb"\\")
