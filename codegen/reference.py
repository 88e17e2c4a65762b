"""Writes the tables of the documents that list what the schema defines."""

from pathlib import Path

from codegen.model import Model

PAGE = "docs/payload.md"
HEAD = "| `event.type` | Class | Attributes of `event.data` |"


def emit_reference(model: Model, root: Path) -> dict[str, str]:
    """Return the new text of each document with such a table; none where there is no document."""
    path = root / PAGE
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").split("\n")
    first = lines.index(HEAD) + 2
    behind = next(n for n in range(first, len(lines)) if not lines[n].startswith("|"))
    return {PAGE: "\n".join([*lines[:first], *_rows(model), *lines[behind:]])}


def _rows(model: Model) -> list[str]:
    """A row for each type of event."""
    rows = []
    for union in model.unions.values():
        for tag, name in union.members.items():
            (data,) = (f.value.name for f in model.objects[name].fields if f.name == "data")
            attributes = ", ".join(f"`{f.name}`" for f in model.objects[data].fields)
            rows.append(f"| `{tag}` | `{name}` | {attributes} |")
    return rows
