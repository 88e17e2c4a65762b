"""Where in a JSON text a value stands, so that people can be pointed to a line."""

import json
import re
from collections.abc import Iterable

_TOKEN = re.compile(r'[ \t\r\n,:]*([{}\[\]"]|[^\s,:{}\[\]"]+)')
_scan_string = json.decoder.scanstring  # type: ignore[attr-defined]  # what `json.loads` uses


def lines_of(text: str, pointers: Iterable[str]) -> dict[str, int]:
    """The lines, counted from 1, on which values begin.

    Args:
        text: a JSON text; of one that is not valid, as far as it can be read.
        pointers: JSON Pointers; of a place that is not there, the nearest around it counts.
    """
    wanted = {pointer: tuple(pointer.split("/")[1:]) for pointer in pointers}
    around = {path[:length] for path in wanted.values() for length in range(len(path) + 1)}
    found = _find(text, around)
    lines = {}
    for pointer, path in wanted.items():
        while path not in found:
            path = path[:-1]  # noqa: PLW2901  # outwards, to the root at most
        lines[pointer] = text.count("\n", 0, found[path]) + 1
    return lines


def _find(text: str, wanted: set[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """The offsets at which the values at some paths begin; the root is always among them."""
    found: dict[tuple[str, ...], int] = {(): 0}
    deepest = max(map(len, wanted))
    stack: list[str | int] = []
    position = 0
    while (token := _TOKEN.match(text, position)) is not None:
        start, position = token.start(1), token.end()
        mark = token[1]
        if mark == '"':
            string, position = _scan_string(text, position)
            if _expects_key(text, position, stack):
                stack[-1] = string.replace("~", "~0").replace("/", "~1")
                continue
        if mark in {"}", "]"}:
            if stack:
                stack.pop()
        else:
            if len(stack) <= deepest and (here := tuple(map(str, stack))) in wanted:
                found[here] = start
            if mark in {"{", "["}:
                stack.append("" if mark == "{" else 0)
                continue
        if stack and isinstance(stack[-1], int):
            stack[-1] += 1
    return found


def _expects_key(text: str, position: int, stack: list[str | int]) -> bool:
    if not stack or not isinstance(stack[-1], str):
        return False
    following = _TOKEN.match(text, position)
    return following is not None and ":" in text[position : following.start(1)]
