"""Emits the decoders from bytes to the payload's classes: a strict one and a lenient one.

`_decoding/generated/decoder.py` takes whole numbers as plain browsers write them, `1`. The
encrypted client's are written `1.0`: `_decoding/generated/lenient.py` takes both, a little slower.

msgspec decodes most classes directly. The others are decoded indirectly (`codegen.wire_structs`):
into a wire struct first, of which a function `_to_<class>` makes the object.

The decoders are sound: they take nothing that is not JSON in UTF-8, or that the schema refuses.
They need not be complete: what they refuse goes to the validator.
"""

from codegen.model import Field, Model, ObjectType, UnionType, Value
from codegen.payload import PAYLOAD
from codegen.wire_structs import WireStructs, find_indirect, may_be_float, reach, untagged

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

REFUSALS = (DecodeError, ValidationError, RecursionError, UnicodeDecodeError)
"""What the decoders raise: the bytes are not JSON, or not what they take."""

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
        self._records = model.objects.keys() - find_indirect(model)
        self._indirect = find_indirect(model, is_lenient=is_lenient)
        self._structs = WireStructs(model, self._indirect, is_lenient=is_lenient)

    def emit(self) -> str:
        if self._is_lenient:
            header = HEADER.replace("\nfrom typing", "\nfrom math import floor\nfrom typing")
            parts = [LENIENT_DOCSTRING + header, FROM_FLOATS]
        else:
            parts = [DOCSTRING + HEADER]
        reached = reach(self._model, ENTRY_POINTS)
        parts += self._structs.emit(reached)
        for name in reached:
            if name in self._model.unions:
                if self._is_indirect_union(name):
                    parts.append(self._move_union(self._model.unions[name]))
            elif name in self._indirect:
                parts.append(self._move(self._model.objects[name]))
        parts += [self._entry_point(name) for name in ENTRY_POINTS]
        return "\n\n".join(parts)

    def _is_indirect_union(self, name: str) -> bool:
        return not self._indirect.isdisjoint(self._model.unions[name].members.values())

    def _may_be_float(self, value: Value) -> bool:
        """Whether it decodes to an int, and may be written as a float."""
        return self._is_lenient and may_be_float(value)

    # From the wire structs to the classes.

    def _move(self, obj: ObjectType) -> str:
        if obj.is_open:
            return "\n".join(
                [
                    f"def _to_{obj.name}(wire: dict[str, str]) -> types.{obj.name}:",
                    f"    out = _new(types.{obj.name})",
                    "    pop = wire.pop",
                    *(f'    out.{f.name} = pop("{f.name}", {f.default!r})' for f in obj.fields),
                    "    out.extra = wire",
                    "    return out",
                ]
            )
        moved = {
            f.name: self._moved(f, f"wire.{f.name}")
            for f in obj.fields
            if f.value.kind not in {"const", "null"}
        }
        lines = [f"def _to_{obj.name}(wire: _{obj.name}) -> types.{obj.name}:"]
        if len(moved) == len(obj.fields) and obj.name not in self._records | {PAYLOAD}:
            # Nothing is left to defaults: faster than calling the class, with values by name.
            lines += [
                f"    out = _new(types.{obj.name})",
                *(f"    out.{name} = {value}" for name, value in moved.items()),
                "    return out",
            ]
        else:
            lines += [
                f"    if wire.{f.name} is not {f.value.wire['const']!r}:\n"
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
            f"def _to_{union.name}_list(wires: list[Any]) -> list[types.{union.name}]:",
            f"    out: list[types.{union.name}] = []",
            "    append = out.append",
            "    for wire in wires:",
            "        kind = type(wire)",
        ]
        indirect = [name for name in union.members.values() if name in self._indirect]
        for number, name in enumerate(indirect):
            arguments = ", ".join(
                f"{f.name}={self._moved(f, f'wire.{f.name}')}"
                for f in untagged(self._model.objects[name])
            )
            lines += [
                f"        {'el' if number else ''}if kind is _{name}:",
                f"            append(types.{name}({arguments}))",
            ]
        if len(indirect) < len(union.members):
            lines += ["        else:", "            append(wire)"]
        lines.append("    return out")
        return "\n".join(lines)

    def _moved(self, f: Field, expression: str) -> str:
        value = f.value
        converted = self._converted(value, expression)
        if not f.required and value.kind == "object" and self._structs.is_struct(value.name):
            return f"types.{value.name}() if {expression} is UNSET else {converted}"
        return converted

    def _converted(self, value: Value, expression: str) -> str:
        if value.kind == "object" and value.name in self._indirect:
            return f"_to_{value.name}({expression})"
        if value.kind == "array":
            assert value.item is not None
            if value.item.kind == "union":
                if self._is_indirect_union(value.item.name):
                    return f"_to_{value.item.name}_list({expression})"
                return expression
            if (value.item.kind == "float" and value.item.clamp is not None) or self._may_be_float(
                value.item
            ):
                return f"[{self._converted(value.item, 'item')} for item in {expression}]"
            if value.item.name in self._indirect:
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
        is_indirect = name in self._indirect
        target = f"_{name}" if is_indirect else f"types.{name}"
        decoded = f"_decode_{_snake(name)}(body)"
        result = f"_to_{name}({decoded})" if is_indirect else decoded
        return (
            f"_decode_{_snake(name)} = Decoder({target}).decode\n\n\n"
            f"def decode_{name}(body: bytes) -> types.{name}:\n"
            "    if not body.isascii():\n"
            "        body.decode()  # What msgspec skips, it does not check.\n"
            f"    return {result}"
        )


def _is_floored(value: Value) -> bool:
    return bool(value.wire.get("x-decode", {}).get("integer"))


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
