"""How vector files are laid out: a line holds as much as it can, and a change touches few lines."""

import json
import re
from typing import Any

WIDTH = 100

Item = tuple[str, Any]
"""A member of an object or array: its key as it is written, and its value."""


def lay_out_file(document: dict[str, Any]) -> str:
    """Return the text of a vector file."""
    cases = ",\n".join(lay_out_case(case) for case in document["cases"])
    description = _flat(document["description"])
    return f'{{\n  "description": {description},\n  "cases": [\n{cases}\n  ]\n}}\n'


def lay_out_case(case: dict[str, Any]) -> str:
    """Return the text of a case: one line a member, except for the result and its errors."""
    lines: list[str] = []
    for key, value in case.items():
        line = f"      {_flat(key)}: "
        if key == "errors":
            both = f"{lines[-1]}, {line.lstrip()}{_flat(value)}"
            if len(both) + 1 <= WIDTH:
                lines[-1] = both
                continue
        lines.append(line + _lay_out(value, column=len(line), margin=6, behind=1))
    return "    {\n" + ",\n".join(lines) + "\n    }"


def _lay_out(value: Any, *, column: int, margin: int, behind: int) -> str:
    """Lay out a value.

    Args:
        value: parsed JSON.
        column: where it begins.
        margin: where its line begins.
        behind: how many characters follow it on its last line.
    """
    flat = _flat(value)
    if not _is_filled(value) or column + len(flat) + behind <= WIDTH:
        return flat
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    items = _items(value)
    *first, (key, last) = items
    if len(first) <= 1 and _is_filled(last) and not any(_is_filled(item) for _, item in first):
        head = opening + "".join(f"{k}{_flat(item)}, " for k, item in first) + key
        inner = _lay_out(last, column=column + len(head), margin=margin, behind=behind + 1)
        return head + inner + closing
    lines = _filled_lines(items, margin + 2)
    return "\n".join([opening, *lines, " " * margin + closing])


def _filled_lines(items: list[Item], margin: int) -> list[str]:
    """As many scalars as a line holds; each object or array that has members begins a line."""
    lines: list[str] = []
    is_open = False
    for number, (key, value) in enumerate(items):
        comma = "," if number < len(items) - 1 else ""
        if _is_filled(value):
            start = " " * margin + key
            text = _lay_out(value, column=len(start), margin=margin, behind=len(comma))
            lines.append(start + text + comma)
            is_open = False
            continue
        text = key + _flat(value) + comma
        if is_open and len(lines[-1]) + 1 + len(text) <= WIDTH:
            lines[-1] += f" {text}"
        else:
            lines.append(" " * margin + text)
        is_open = True
    return lines


def _items(value: dict[str, Any] | list[Any]) -> list[Item]:
    if isinstance(value, dict):
        return [(f"{_flat(key)}: ", item) for key, item in value.items()]
    return [("", item) for item in value]


def _is_filled(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _flat(value: Any) -> str:
    """A value on one line; what does not print is escaped."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flat(key)}: {_flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^\x20-\x7e]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]
