"""Which types msgspec can decode as they are, and which need a mirror.

Most types are records (`unisights._decoding.structs`): structs, whose annotations hold the schema's
constraints. Where an annotation cannot say what the schema says, the type is a plain dataclass,
and bytes are decoded into a private struct first, its mirror: open objects, clamped numbers,
boolean constants, and properties that may be absent but not null.
"""

from codegen.model import Model, ObjectType, Value


def find_mirrored(model: Model, *, is_lenient: bool = False) -> set[str]:
    """The object types that need a mirror; `is_lenient`: where whole numbers may be floats, too."""
    found = {n for n, obj in model.objects.items() if _needs_mirror(obj, is_lenient=is_lenient)}
    # A type that holds a mirrored one needs a mirror too.
    while holders := {
        name
        for name, obj in model.objects.items()
        if name not in found and any(targets(model, f.value) & found for f in obj.fields)
    }:
        found |= holders
    return found


def find_acyclic(model: Model, mirrored: set[str]) -> set[str]:
    """The records that hold nothing but scalars and such records: the collector may skip them."""
    found: set[str] = set()
    while more := {
        name
        for name, obj in model.objects.items()
        if name not in found | mirrored
        and all(
            f.value.kind not in {"array", "union"} and targets(model, f.value) <= found
            for f in obj.fields
        )
    }:
        found |= more
    return found


def targets(model: Model, value: Value) -> set[str]:
    """The object types that a place holds."""
    held = value.item if value.item is not None else value
    if held.kind == "union":
        return set(model.unions[held.name].members.values())
    return {held.name} if held.kind == "object" else set()


def may_be_float(value: Value) -> bool:
    """Whether it decodes to an int, or to many, which may be written as floats."""
    return "int" in {value.kind, value.item and value.item.kind}


def constraints(value: Value, *, is_clamped: bool = False) -> str:
    """The `Meta(...)` that makes the byte decoder take no more than the schema does.

    It may take less: what it refuses goes to the validator, which has the last word.

    Args:
        value: the place.
        is_clamped: what is decoded is clamped on its way to the dataclass, as floats are: then the
            clamp does not bind here.
    """
    wire = value.wire
    arguments = []
    bounds = [bound for bound in (wire.get("maximum"), value.clamp) if bound is not None]
    if value.kind == "float" or is_clamped:
        bounds = [wire["maximum"]] if "maximum" in wire else []
    if "minimum" in wire:
        arguments.append(f"ge={wire['minimum']!r}")
    if bounds:
        arguments.append(f"le={min(bounds)!r}")
    if "minLength" in wire:
        arguments.append(f"min_length={wire['minLength']!r}")
    if "maxLength" in wire:
        arguments.append(f"max_length={wire['maxLength']!r}")
    if "pattern" in wire:
        arguments.append(f"pattern={wire['pattern']!r}")
    return f"Meta({', '.join(arguments)})" if arguments else ""


def _needs_mirror(obj: ObjectType, *, is_lenient: bool) -> bool:
    return obj.is_open or any(
        f.omissible
        or (is_lenient and may_be_float(f.value))
        or (f.value.kind == "float" and f.value.clamp is not None)
        or (f.value.kind == "const" and isinstance(f.value.wire["const"], bool))
        or (f.value.item is not None and not _is_plain_item(f.value.item))
        for f in obj.fields
    )


def _is_plain_item(item: Value) -> bool:
    """Whether the type's annotation says all that the schema says of an array's items."""
    if item.kind == "union":
        return True
    return item.clamp is None and item.kind != "array" and not constraints(item)
