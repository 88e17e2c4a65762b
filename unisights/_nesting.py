"""How deeply a JSON text is nested.

Parsers that are written in C call themselves for each level. What guards them is made for the main
thread: in a server's threads, whose stacks may be small, deep nesting ended the process.
"""

import re
from array import array
from itertools import accumulate

MAX_DEPTH = 500
"""Deeper than anything that is meant; parsers need less than 128 KiB of stack for it."""

_STRING = re.compile(rb'"[^"]*"')
_ALIKE = bytes.maketrans(b"[]", b"{}")
_NOT_OPENING = bytes(set(range(256)) - set(b"{["))
_IRRELEVANT = bytes(set(range(256)) - set(b'"{}[]'))

_STEPS = bytes.maketrans(b"{}", b"\x01\xff")
"""As signed bytes: one level down, one level up."""

_CHUNK = 4096

_PASSES = 8
"""Real payloads are less deep: nothing is left of them after at most so many passes."""


def is_too_deep(text: bytes) -> bool:
    """Whether a JSON text has more than `MAX_DEPTH` levels; exact up to its first syntax error."""
    if len(text.translate(None, _NOT_OPENING)) <= MAX_DEPTH:
        return False
    left = text
    if b"\\" in text:
        left = left.replace(rb"\\", b"").replace(rb"\"", b"")
    # Two quotes that meet end one string and begin another, or hold nothing between them.
    left = left.translate(_ALIKE, _IRRELEVANT).replace(b'""', b"")
    left = _STRING.sub(b"", left)
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
