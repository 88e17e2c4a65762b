"""Which classes msgspec decodes directly, and which by a wire struct.

Most classes are records (`unisights._schema.structs`): structs, whose annotations hold the schema's
constraints, so that msgspec decodes bytes directly into them. Where an annotation cannot say what
the schema says, the class is a plain dataclass, and bytes are decoded indirectly: into a private
struct of what is on the wire, the wire struct, and from there into the class. That is so for open
objects, clamped numbers and boolean constants.
"""

from collections.abc import Iterable

from codegen.model import Field, Model, ObjectType, Value

_OPTIONS = "kw_only=True, gc=False"
"""Of JSON, no reference cycle is made: Python's garbage collector need not track the structs."""


class WireStructs:
    """Emits the wire structs of a generated module."""

    def __init__(self, model: Model, indirect: set[str], *, is_lenient: bool) -> None:
        self._model = model
        self._indirect = indirect
        self._is_lenient = is_lenient

    def emit(self, names: Iterable[str]) -> list[str]:
        """Return the source of each struct that these objects and unions are decoded by."""
        names = [*names]
        members = [
            self._member(tag, member)
            for name, union in self._model.unions.items()
            if name in names
            for tag, member in union.members.items()
            if member in self._indirect
        ]
        structs = [
            self._struct(f"_{name}(Struct, {_OPTIONS})", self._model.objects[name].fields)
            for name in names
            if name in self._model.objects and self.is_struct(name)
        ]
        return members + structs

    def is_struct(self, name: str) -> bool:
        """Whether an object has a wire struct; open ones are decoded into a dict."""
        return name in self._indirect and not self._model.objects[name].is_open

    def _member(self, tag: str, name: str) -> str:
        head = f'_{name}(Struct, tag_field="type", tag={tag!r}, {_OPTIONS})'
        return self._struct(head, untagged(self._model.objects[name]))

    def _struct(self, head: str, fields: Iterable[Field]) -> str:
        body = "\n".join(f"    {self._field(f)}" for f in fields) or "    pass"
        return f"class {head}:\n{body}"

    def _field(self, f: Field) -> str:
        hint = self._hint(f.value)
        if f.required:
            return f"{f.name}: {hint}"
        if f.value.kind == "object" and self.is_struct(f.value.name):
            return f"{f.name}: {hint} | UnsetType = UNSET"
        if f.value.kind == "object":
            factory = "dict" if f.value.name in self._indirect else f"types.{f.value.name}"
            return f"{f.name}: {hint} = field(default_factory={factory})"
        if f.value.kind == "array":
            return f"{f.name}: {hint} = field(default_factory=list)"
        return f"{f.name}: {hint} = {f.default!r}"

    def _hint(self, value: Value) -> str:
        match value.kind:
            case "object" if value.name in self._indirect and not self.is_struct(value.name):
                return "dict[str, str]"
            case "object":
                return self._decoded_type(value.name)
            case "union":
                members = self._model.unions[value.name].members.values()
                return " | ".join(map(self._decoded_type, members))
            case "array":
                assert value.item is not None
                return f"list[{self._hint(value.item)}]"
            case "null":
                return "None"
            case "const":
                constant = value.wire["const"]
                return "bool" if isinstance(constant, bool) else f"Literal[{constant!r}]"
            case _:
                return self._scalar_hint(value)

    def _scalar_hint(self, value: Value) -> str:
        hint: str = value.kind
        if "enum" in value.wire:
            hint = f"Literal[{', '.join(map(repr, value.wire['enum']))}]"
        metas = {hint: constraints(value)}
        if self._is_lenient and may_be_float(value):
            metas = {hint: metas[hint], "float": constraints(value, is_clamped=True)}
        hint = " | ".join(f"Annotated[{h}, {m}]" if m else h for h, m in metas.items())
        return f"{hint} | None" if value.nullable else hint

    def _decoded_type(self, name: str) -> str:
        return f"_{name}" if name in self._indirect else f"types.{name}"


def find_indirect(model: Model, *, is_lenient: bool = False) -> set[str]:
    """The object types that are decoded indirectly.

    Args:
        model: the schema.
        is_lenient: whether whole numbers may be written as floats, which annotations cannot say.
    """
    found = {n for n, obj in model.objects.items() if _is_indirect(obj, is_lenient=is_lenient)}
    # What holds such a type is decoded indirectly, too.
    while holders := {
        name
        for name, obj in model.objects.items()
        if name not in found and any(targets(model, f.value) & found for f in obj.fields)
    }:
        found |= holders
    return found


def find_acyclic(model: Model, indirect: set[str]) -> set[str]:
    """The records that hold nothing but scalars and such records.

    No reference cycle can go through them: Python's garbage collector need not track them.
    """
    found: set[str] = set()
    while more := {
        name
        for name, obj in model.objects.items()
        if name not in found | indirect
        and all(
            f.value.kind not in {"array", "union"} and targets(model, f.value) <= found
            for f in obj.fields
        )
    }:
        found |= more
    return found


def reach(model: Model, names: Iterable[str]) -> list[str]:
    """The objects and unions that some hold, they included; each before its holder."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        members = [*model.unions[name].members.values()] if name in model.unions else [name]
        for member in members:
            for f in model.objects[member].fields:
                if target := f.value.item.name if f.value.item else f.value.name:
                    visit(target)
        order.append(name)

    for name in names:
        visit(name)
    return order


def untagged(obj: ObjectType) -> list[Field]:
    """The fields of an object but for its tag, which msgspec reads and writes itself."""
    return [f for f in obj.fields if f.name != "type"]


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

    It may take less: what it refuses goes to the validator, which decides.

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


def _is_indirect(obj: ObjectType, *, is_lenient: bool) -> bool:
    return obj.is_open or any(
        (is_lenient and may_be_float(f.value))
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
