"""Emits the fast path from bytes to the payload's dataclasses, in two variants.

`_generated/decoder.py` takes whole numbers as plain browsers write them, `1`. The encrypted
client's are written `1.0`: `_generated/lenient.py` takes both, a little slower.

msgspec decodes most types directly. What was decoded into a mirror (see `codegen.mirrors`) is then
moved to its dataclass.

The fast path must be sound: it takes nothing that the schema refuses. It need not be complete:
what it refuses goes to the validator.
"""

from codegen.emit_types import PAYLOAD
from codegen.mirrors import constraints, find_mirrored, may_be_float
from codegen.model import Field, Model, ObjectType, UnionType, Value

ENTRY_POINTS = ("UnisightsPayload", "UnisightsData")
"""What is decoded from bytes: a whole request, and the plaintext of an encrypted one."""

DOCSTRING = '"""Decodes bytes straight into the dataclasses: the fast path."""'
LENIENT_DOCSTRING = (
    '''"""Decodes bytes into the dataclasses, also where whole numbers are written as floats."""'''
)

HEADER = '''
from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType, ValidationError, field
from msgspec.json import Decoder

from unisights import types

REFUSALS = (DecodeError, ValidationError, RecursionError)
"""What the decoders raise: the bytes are not JSON, or not what the fast path takes."""

_new = object.__new__
'''

FROM_FLOATS = """
def _floored(value: Any, maximum: int | None = None) -> Any:
    if type(value) is not float:
        return value
    whole = floor(value)
    return whole if maximum is None or whole < maximum else maximum


def _whole(value: Any) -> Any:
    if type(value) is float and not value.is_integer():
        raise ValidationError("not whole")
    return _floored(value)
"""


def emit_decoder(model: Model) -> str:
    """Return the module's source, not yet formatted."""
    return _Emitter(model, is_lenient=False).emit()


def emit_lenient_decoder(model: Model) -> str:
    """Return the source of the variant that takes whole numbers written as floats."""
    return _Emitter(model, is_lenient=True).emit()


class _Emitter:
    def __init__(self, model: Model, *, is_lenient: bool) -> None:
        self._model = model
        self._is_lenient = is_lenient
        self._records = model.objects.keys() - find_mirrored(model)
        self._mirrored = find_mirrored(model, is_lenient=is_lenient)

    def emit(self) -> str:
        reached = self._reached()
        if self._is_lenient:
            header = HEADER.replace("\nfrom typing", "\nfrom math import floor\nfrom typing")
            parts = [LENIENT_DOCSTRING + header, FROM_FLOATS]
        else:
            parts = [DOCSTRING + HEADER]
        for name, union in self._model.unions.items():
            if name in reached:
                parts += [
                    self._member(tag, member)
                    for tag, member in union.members.items()
                    if member in self._mirrored
                ]
        for name in reached:
            obj = self._model.objects.get(name)
            if obj is not None and name in self._mirrored and not obj.is_open:
                parts.append(self._mirror(obj))
        for name in reached:
            if name in self._model.unions:
                if self._is_mirrored_union(name):
                    parts.append(self._move_union(self._model.unions[name]))
            elif name in self._mirrored:
                parts.append(self._move(self._model.objects[name]))
        parts += [self._entry_point(name) for name in ENTRY_POINTS]
        if not self._is_lenient:
            parts.append(self._members())
        return "\n\n".join(parts)

    def _may_be_float(self, value: Value) -> bool:
        """Whether it decodes to an int, and may be written as a float."""
        return self._is_lenient and may_be_float(value)

    def _reached(self) -> list[str]:
        """What the entry points hold, each before its holder."""
        order: list[str] = []

        def visit(name: str) -> None:
            if name in order:
                return
            if name in self._model.unions:
                for member in self._model.unions[name].members.values():
                    for f in self._model.objects[member].fields:
                        if target := _target(f.value):
                            visit(target)
            else:
                for f in self._model.objects[name].fields:
                    if target := _target(f.value):
                        visit(target)
            order.append(name)

        for name in ENTRY_POINTS:
            visit(name)
        return order

    # The mirrors.

    def _member(self, tag: str, name: str) -> str:
        obj = self._model.objects[name]
        lines = [self._mirror_field(f) for f in _untagged(obj)]
        body = "\n".join(f"    {line}" for line in lines) or "    pass"
        return (
            f'class _{name}(Struct, tag_field="type", tag={tag!r}, kw_only=True, gc=False):\n{body}'
        )

    def _mirror(self, obj: ObjectType) -> str:
        lines = [self._mirror_field(f) for f in obj.fields]
        return f"class _{obj.name}(Struct, kw_only=True):\n" + "\n".join(
            f"    {line}" for line in lines
        )

    def _mirror_field(self, f: Field) -> str:
        hint = self._hint(f.value)
        if f.required:
            return f"{f.name}: {hint}"
        if f.omissible or (f.value.kind == "object" and self._is_struct(f.value.name)):
            return f"{f.name}: {hint} | UnsetType = UNSET"
        if f.value.kind == "object":
            factory = "dict" if f.value.name in self._mirrored else f"types.{f.value.name}"
            return f"{f.name}: {hint} = field(default_factory={factory})"
        if f.value.kind == "array":
            return f"{f.name}: {hint} = field(default_factory=list)"
        return f"{f.name}: {hint} = {f.default!r}"

    def _is_mirrored_union(self, name: str) -> bool:
        return not self._mirrored.isdisjoint(self._model.unions[name].members.values())

    def _is_struct(self, name: str) -> bool:
        return name in self._mirrored and not self._model.objects[name].is_open

    def _decoded_type(self, name: str) -> str:
        """What msgspec makes of a member of a union."""
        return f"_{name}" if name in self._mirrored else f"types.{name}"

    def _hint(self, value: Value) -> str:
        match value.kind:
            case "object" if value.name not in self._mirrored:
                return f"types.{value.name}"
            case "object" if self._model.objects[value.name].is_open:
                return "dict[str, str]"
            case "object":
                return f"_{value.name}"
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
                hint: str = value.kind
                if "enum" in value.wire:
                    hint = f"Literal[{', '.join(map(repr, value.wire['enum']))}]"
                metas = {hint: constraints(value)}
                if self._may_be_float(value):
                    metas = {hint: metas[hint], "float": constraints(value, is_clamped=True)}
                hint = " | ".join(f"Annotated[{h}, {m}]" if m else h for h, m in metas.items())
                return f"{hint} | None" if value.nullable else hint

    # From the mirrors to the dataclasses.

    def _move(self, obj: ObjectType) -> str:
        if obj.is_open:
            return "\n".join(
                [
                    f"def _to_{obj.name}(mirror: dict[str, str]) -> types.{obj.name}:",
                    f"    out = _new(types.{obj.name})",
                    "    pop = mirror.pop",
                    *(f'    out.{f.name} = pop("{f.name}", {f.default!r})' for f in obj.fields),
                    "    out.extra = mirror",
                    "    return out",
                ]
            )
        moved = {
            f.name: self._moved(f, f"mirror.{f.name}")
            for f in obj.fields
            if f.value.kind not in {"const", "null"}
        }
        lines = [f"def _to_{obj.name}(mirror: _{obj.name}) -> types.{obj.name}:"]
        if len(moved) == len(obj.fields) and obj.name not in self._records | {PAYLOAD}:
            # Nothing is left to defaults: faster than calling the class, with values by name.
            lines += [
                f"    out = _new(types.{obj.name})",
                *(f"    out.{name} = {value}" for name, value in moved.items()),
                "    return out",
            ]
        else:
            lines += [
                f"    if mirror.{f.name} is not {f.value.wire['const']!r}:\n"
                f'        raise ValidationError("{f.name}")'
                for f in obj.fields
                if f.value.kind == "const"
            ]
            arguments = ", ".join(f"{name}={value}" for name, value in moved.items())
            lines.append(f"    return types.{obj.name}({arguments})")
        return "\n".join(lines)

    def _move_union(self, union: UnionType) -> str:
        """A loop with one branch a member: each is a place that the interpreter specialises.

        Comparing types takes a seventh of the time of `isinstance`, but type checkers cannot
        follow it: hence `Any`.
        """
        lines = [
            f"def _to_{union.name}_list(mirrors: list[Any]) -> list[types.{union.name}]:",
            f"    out: list[types.{union.name}] = []",
            "    append = out.append",
            "    for mirror in mirrors:",
            "        kind = type(mirror)",
        ]
        mirrored = [name for name in union.members.values() if name in self._mirrored]
        for number, name in enumerate(mirrored):
            arguments = ", ".join(
                f"{f.name}={self._moved(f, f'mirror.{f.name}')}"
                for f in _untagged(self._model.objects[name])
            )
            lines += [
                f"        {'el' if number else ''}if kind is _{name}:",
                f"            append(types.{name}({arguments}))",
            ]
        if len(mirrored) < len(union.members):
            lines += ["        else:", "            append(mirror)"]
        lines.append("    return out")
        return "\n".join(lines)

    def _members(self) -> str:
        members = [name for union in self._model.unions.values() for name in union.members.values()]
        return (
            "MEMBERS: dict[str, type[Struct]] = {"
            + "".join(f"{name!r}: {self._decoded_type(name)}, " for name in members)
            + '}\n"""What a member of each union is decoded into."""'
        )

    def _moved(self, f: Field, expression: str) -> str:
        value = f.value
        converted = self._converted(value, expression)
        if f.omissible:
            return f"None if {expression} is UNSET else {converted}"
        if not f.required and value.kind == "object" and self._is_struct(value.name):
            return f"types.{value.name}() if {expression} is UNSET else {converted}"
        return converted

    def _converted(self, value: Value, expression: str) -> str:
        if value.kind == "object" and value.name in self._mirrored:
            return f"_to_{value.name}({expression})"
        if value.kind == "array":
            assert value.item is not None
            if value.item.kind == "union":
                if self._is_mirrored_union(value.item.name):
                    return f"_to_{value.item.name}_list({expression})"
                return expression
            if (value.item.kind == "float" and value.item.clamp is not None) or self._may_be_float(
                value.item
            ):
                return f"[{self._converted(value.item, 'item')} for item in {expression}]"
            if value.item.name in self._mirrored:
                return f"[_to_{value.item.name}(item) for item in {expression}]"
        if value.kind == "float" and value.clamp is not None:
            return f"min({expression}, {float(value.clamp)!r})"
        if value.kind == "int" and self._is_lenient:
            if not _is_floored(value):
                return f"_whole({expression})"
            clamp = "" if value.clamp is None else f", {value.clamp!r}"
            return f"_floored({expression}{clamp})"
        return expression

    def _entry_point(self, name: str) -> str:
        mirrored = name in self._mirrored
        target = f"_{name}" if mirrored else f"types.{name}"
        decoded = f"_{_snake(name)}.decode(body)"
        result = f"_to_{name}({decoded})" if mirrored else decoded
        return (
            f"_{_snake(name)} = Decoder({target})\n\n\n"
            f"def decode_{name}(body: bytes) -> types.{name}:\n    return {result}"
        )


def _is_floored(value: Value) -> bool:
    return bool(value.wire.get("x-decode", {}).get("integer"))


def _target(value: Value) -> str:
    if value.kind == "array":
        assert value.item is not None
        return value.item.name
    return value.name


def _untagged(obj: ObjectType) -> list[Field]:
    return [f for f in obj.fields if f.name != "type"]


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
