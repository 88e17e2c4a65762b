"""Limits on what a JSON text is made of, checked before it is parsed.

Parsers that are written in C call themselves for each level of nesting. Their own guards are made
for the main thread: in a server's threads, whose stacks may be small, deep nesting ended the
process. And an array takes two bytes of the text, but a hundred times as much once it is parsed.
"""

import re
from array import array
from itertools import accumulate

MAX_DEPTH = 500
"""How deeply a text may be nested; parsers need less than 256 KiB of stack for it."""

MAX_FREE = 1000
"""How many arrays and objects any text may have, however short it is."""

MIN_BYTES = 12
"""Beyond them, a text may have one array or object for each so many bytes. An event, which is two
objects, has more than thirty bytes if there is anything in it."""

_STRING = re.compile(rb'"[^"]*"')
_ALIKE = bytes.maketrans(b"[]", b"{}")
_NOT_OPENING = bytes(set(range(256)) - set(b"{["))
_IRRELEVANT = bytes(set(range(256)) - set(b'"{}[]'))

_STEPS = bytes.maketrans(b"{}", b"\x01\xff")
"""As signed bytes: one level down, one level up."""

_CHUNK = 4096
_BEGINNING = 4 * _CHUNK

_PASSES = 8
"""Real payloads are less deep: nothing is left of them after at most so many passes."""


def most_elements(size: int) -> int:
    """Return how many arrays and objects, or events, a text of so many bytes may have."""
    return max(MAX_FREE, size // MIN_BYTES)


def find_excess(text: bytes, *, counts: bool = True) -> str | None:
    """Return in words what a JSON text has too much of; None if it may be parsed.

    It is exact up to the first syntax error.

    Args:
        text: the JSON text.
        counts: whether arrays and objects are limited in number, too, and not only in depth.
    """
    if len(text.translate(None, _NOT_OPENING)) <= MAX_DEPTH:
        return None
    left = text
    if b"\\" in text:
        left = left.replace(rb"\\", b"").replace(rb"\"", b"")
    # Two quotes that meet end one string and begin another, or hold nothing between them.
    left = left.translate(_ALIKE, _IRRELEVANT).replace(b'""', b"")
    left = _STRING.sub(b"", left)
    is_dense = counts and left.count(b"{") > most_elements(len(text))
    # A text that is too dense is refused in any case: the depth of its beginning is enough.
    if _is_deeper(left[:_BEGINNING] if is_dense else left):
        return "nested too deeply"
    return "made of too many arrays and objects" if is_dense else None


def _is_deeper(left: bytes) -> bool:
    """Whether brackets, all alike, are deeper than `MAX_DEPTH`."""
    depth, length = 0, 2 * len(left)
    while depth < _PASSES and len(left) < 0.75 * length:
        # The innermost levels; a pass makes the text less deep by one.
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
