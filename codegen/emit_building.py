"""Emits the `_build` methods of `unisights/types.py`: parsed JSON that was validated -> objects.

A required property that is missing becomes None, an object or array that is missing is empty: that
happens only where the caller asked for required properties not to be checked.
"""

from codegen.model import Field, Model, ObjectType, Value


def build_arguments(obj: ObjectType) -> list[str]:
    """Return the arguments, as source, that an object is made with from parsed JSON, `obj`."""
    arguments = [
        f"{f.name}={_expression(f)}" for f in obj.fields if f.value.kind not in {"null", "const"}
    ]
    if obj.is_open:
        named = [f.name for f in obj.fields]
        arguments.append(f"extra={{k: v for k, v in obj.items() if k not in {named!r}}}")
    return arguments


def emit_union_tables(model: Model) -> str:
    """Return the source of a table for each union: what builds a member, for each `type`."""
    return "\n".join(
        f"{_table(union.name)}: dict[str, Callable[[Any], {union.name}]] = {{"
        + ", ".join(f'"{tag}": {name}._build' for tag, name in union.members.items())
        + "}\n"
        for union in model.unions.values()
    )


def _table(union: str) -> str:
    words = "".join(f"_{c}" if c.isupper() else c for c in union)
    return f"{words.upper()}_BUILDERS"


def _expression(f: Field) -> str:
    value = f.value
    if value.kind == "object":
        return f'{value.name}._build(obj.get("{f.name}", {{}}))'
    if value.kind == "array":
        assert value.item is not None
        items = f'obj.get("{f.name}", [])'
        if value.item.kind == "union":
            return f'[{_table(value.item.name)}[item["type"]](item) for item in {items}]'
        return f"[{_converted('item', value.item)} for item in {items}]"
    default = f", {f.default!r}" if f.default is not None else ""
    return _converted(f'obj.get("{f.name}"{default})', value)


def _converted(expression: str, value: Value) -> str:
    if value.kind == "object":
        return f"{value.name}._build({expression})"
    if value.kind in {"int", "float"}:
        clamp = f", {value.clamp!r}" if value.clamp is not None else ""
        return f"to_{value.kind}({expression}{clamp})"
    return expression
