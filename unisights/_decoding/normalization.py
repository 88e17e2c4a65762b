"""Replaces what may stand in JSON, but what no decoder takes."""

import re

_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

_BOM = b"\xef\xbb\xbf"


def normalize(body: bytes) -> bytes:
    """Leave out a byte order mark, and write U+FFFD for lone surrogates.

    What has a byte 0 is no JSON, and its surrogates are left as they are.
    """
    body = body.removeprefix(_BOM)
    if (b"\\ud" not in body and b"\\uD" not in body) or b"\0" in body:
        return body
    # The backslash that another one escapes begins no escape.
    hidden = body.replace(rb"\\", b"\0\0")
    return _LONE_SURROGATE.sub(rb"\\ufffd", hidden).replace(b"\0\0", rb"\\")
