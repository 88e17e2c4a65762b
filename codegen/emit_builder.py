"""Emits `_generated/builder.py`: parsed JSON that was validated -> the payload's dataclasses."""

from dataclasses import replace

from codegen.model import Field, Model, ObjectType, Value

HEADER = '''"""Builds the dataclasses from parsed JSON that was validated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unisights import types
from unisights._decoding.numbers import to_float, to_int
'''


def emit_builder(model: Model) -> str:
    """Return the module's source, not yet formatted.

    A required property that is missing becomes None, an object or array that is missing is
    empty: that happens only where the caller asked for required properties not to be checked.
    """
    parts = [HEADER]
    parts += [_function(obj) for obj in model.objects.values()]
    for union in model.unions.values():
        table = ", ".join(f'"{tag}": build_{name}' for tag, name in union.members.items())
        parts.append(
            f"UNION_{union.name}: dict[str, Callable[[Any], types.{union.name}]] = {{{table}}}\n"
        )
    builders = ", ".join(f'"{name}": build_{name}' for name in model.objects)
    tags = ", ".join(f'"{u.name}": {u.members!r}' for u in model.unions.values())
    batches = {name: model.batches(name) for name in model.objects}
    batches = {name: found for name, found in batches.items() if found}
    parts.append(
        f"BUILDERS: dict[str, Callable[[Any], Any]] = {{{builders}}}\n"
        '"""The builder of each definition."""\n\n'
        f"UNIONS: dict[str, dict[str, str]] = {{{tags}}}\n"
        '"""For each union, the definition that each `type` stands for."""\n\n'
        f"BATCHES: dict[str, list[tuple[tuple[str, ...], str]]] = {batches!r}\n"
        '"""For each definition, the paths of its arrays of unions, and which union."""\n'
    )
    return "\n".join(parts)


def _function(obj: ObjectType) -> str:
    arguments = [
        f"{f.name}={_expression(f)}" for f in obj.fields if f.value.kind not in {"null", "const"}
    ]
    if obj.is_open:
        named = [f.name for f in obj.fields]
        arguments.append(f"extra={{k: v for k, v in obj.items() if k not in {named!r}}}")
    return (
        f"def build_{obj.name}(obj: Any) -> types.{obj.name}:\n"
        f"    return types.{obj.name}({', '.join(arguments)})\n"
    )


def _expression(f: Field) -> str:
    value = f.value
    if f.omissible and value.kind in {"object", "array"}:
        present = _expression(replace(f, omissible=False))
        return f'{present} if "{f.name}" in obj else None'
    if value.kind == "object":
        return f'build_{value.name}(obj.get("{f.name}", {{}}))'
    if value.kind == "array":
        assert value.item is not None
        items = f'obj.get("{f.name}", [])'
        if value.item.kind == "union":
            return f'[UNION_{value.item.name}[item["type"]](item) for item in {items}]'
        return f"[{_converted('item', value.item)} for item in {items}]"
    default = f", {f.default!r}" if f.default is not None else ""
    return _converted(f'obj.get("{f.name}"{default})', value)


def _converted(expression: str, value: Value) -> str:
    if value.kind == "object":
        return f"build_{value.name}({expression})"
    if value.kind in {"int", "float"}:
        clamp = f", {value.clamp!r}" if value.clamp is not None else ""
        return f"to_{value.kind}({expression}{clamp})"
    return expression
