"""Limits on the depth of a JSON text and on its number of arrays and objects, before it is parsed.

Parsers that are written in C call themselves for each level of nesting. Their own limits are made
for the main thread: in a server's threads, whose stacks may be small, deep nesting ended the
process. An array takes two bytes of the text, but a hundred times as much memory once it is parsed.
"""

import re
from array import array
from itertools import accumulate

MAX_DEPTH = 500
"""The greatest depth of a text. Parsers need less than 256 KiB of stack for it."""

MAX_FREE = 1000
"""The number of arrays and objects that a text of any length may have."""

MIN_BYTES = 12
"""A text of n bytes may have max(MAX_FREE, n // MIN_BYTES) arrays and objects. An event consists of
two objects and, unless it is empty, of more than thirty bytes."""

_STRING = re.compile(rb'"[^"]*"')
_ALIKE = bytes.maketrans(b"[]", b"{}")
_NOT_OPENING = bytes(set(range(256)) - set(b"{["))
_IRRELEVANT = bytes(set(range(256)) - set(b'"{}[]'))

_STEPS = bytes.maketrans(b"{}", b"\x01\xff")
"""As signed bytes: one level down, one level up."""

_CHUNK = 4096
_BEGINNING = 4 * _CHUNK

_PASSES = 8
"""The greatest number of passes, each of which removes the innermost level. Real payloads have
fewer levels."""


def most_elements(size: int) -> int:
    """Return the greatest number of arrays and objects, or of events, in a text of this size."""
    return max(MAX_FREE, size // MIN_BYTES)


def find_excess(text: bytes, *, counts: bool = True) -> str | None:
    """Return in words which limit a JSON text exceeds; None if it may be parsed.

    The result is exact up to the first syntax error.

    Args:
        text: the JSON text.
        counts: whether the number of arrays and objects is limited, too, and not only the depth.
    """
    if len(text.translate(None, _NOT_OPENING)) <= MAX_DEPTH:
        return None
    left = text
    if b"\\" in text:
        left = left.replace(rb"\\", b"").replace(rb"\"", b"")
    # Two adjacent quotes are an empty string, or the end of one string and the start of another.
    left = left.translate(_ALIKE, _IRRELEVANT).replace(b'""', b"")
    left = _STRING.sub(b"", left)
    is_dense = counts and left.count(b"{") > most_elements(len(text))
    # A text that is too dense is refused in any case, so the depth of its beginning is enough.
    if _is_deeper(left[:_BEGINNING] if is_dense else left):
        return "nested too deeply"
    return "made of too many arrays and objects" if is_dense else None


def _is_deeper(left: bytes) -> bool:
    """Whether a text of braces only is deeper than `MAX_DEPTH`."""
    depth, length = 0, 2 * len(left)
    while depth < _PASSES and len(left) < 0.75 * length:
        # A pass removes the innermost level.
        length = len(left)
        left = left.replace(b"{}", b"")
        depth += 1
    for start in range(0, len(left), _CHUNK):
        steps = array("b", left[start : start + _CHUNK].translate(_STEPS))
        depths = list(accumulate(steps, initial=depth))
        if max(depths) > MAX_DEPTH:
            return True
        depth = depths[-1]
    return False
