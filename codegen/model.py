"""The schema as the emitters see it: object types with their fields, and tagged unions.

Every emitter reads this model, so that what they generate cannot drift apart.
"""

from dataclasses import dataclass
from typing import Any, Literal

from codegen.document import SchemaError, reference_name, resolve
from codegen.schema import Schema

Kind = Literal["str", "int", "float", "bool", "const", "null", "object", "union", "array"]


@dataclass(frozen=True)
class Value:
    """What one place of the schema holds.

    Attributes:
        kind: the type that it decodes to; a number that decoders make whole is an `int`.
        wire: its JSON Schema, references resolved.
        nullable: whether null is valid too.
        name: the definition's name, for objects and unions.
        item: what the array's items hold, for arrays.
    """

    kind: Kind
    wire: dict[str, Any]
    nullable: bool = False
    name: str = ""
    item: "Value | None" = None

    @property
    def clamp(self) -> int | float | None:
        """The greatest value decoders yield, where they clamp."""
        maximum: int | float | None = self.wire.get("x-decode", {}).get("maximum")
        return maximum


@dataclass(frozen=True)
class Field:
    """A property of an object type.

    Attributes:
        default: what it decodes to when absent; None also where it has no default.
    """

    name: str
    value: Value
    required: bool
    default: Any


@dataclass(frozen=True)
class ObjectType:
    """A definition that becomes a dataclass.

    Attributes:
        is_open: whether properties the schema does not name are kept, all of them strings.
    """

    name: str
    fields: tuple[Field, ...]
    is_open: bool


@dataclass(frozen=True)
class UnionType:
    """A definition that is one of several object types, told apart by their `type`."""

    name: str
    members: dict[str, str]


@dataclass(frozen=True)
class Model:
    """All that the emitters need to know."""

    schema: Schema
    objects: dict[str, ObjectType]
    unions: dict[str, UnionType]

    def union_arrays(self, name: str) -> list[tuple[tuple[str, ...], str]]:
        """The arrays of unions inside an object type: the path to each, and its union's name."""
        found: list[tuple[tuple[str, ...], str]] = []
        for f in self.objects[name].fields:
            value = f.value
            if value.kind == "object":
                inner = self.union_arrays(value.name)
                found += [((f.name, *path), union) for path, union in inner]
            elif value.item is not None and value.item.kind == "union":
                members = self.unions[value.item.name].members.values()
                if any(self.union_arrays(member) for member in members):
                    place = f"#/definitions/{value.item.name}"
                    raise SchemaError(f"{place}: an array of unions in an array of unions")
                found.append(((f.name,), value.item.name))
            elif (
                value.item is not None
                and value.item.kind == "object"
                and self.union_arrays(value.item.name)
            ):
                place = f"#/definitions/{name}/properties/{f.name}"
                raise SchemaError(f"{place}: an array of unions in the items of an array")
        return found


def build_model(schema: Schema) -> Model:
    """Turn a checked schema into the emitters' model."""
    objects: dict[str, ObjectType] = {}
    unions: dict[str, UnionType] = {}
    for name, definition in schema.definitions.items():
        if "oneOf" in definition:
            unions[name] = _union(schema, name, definition)
        elif definition.get("type") == "object":
            objects[name] = _object(schema, name, definition)
    return Model(schema, objects, unions)


def _union(schema: Schema, name: str, definition: dict[str, Any]) -> UnionType:
    members = {}
    for branch in definition["oneOf"]:
        member = reference_name(branch)
        members[schema.definitions[member]["properties"]["type"]["const"]] = member
    return UnionType(name, members)


def _object(schema: Schema, name: str, definition: dict[str, Any]) -> ObjectType:
    required = set(definition.get("required", ()))
    is_open = isinstance(definition.get("additionalProperties"), dict)
    fields = []
    for key, subschema in definition.get("properties", {}).items():
        if is_open and key == "extra":
            raise SchemaError(f"#/definitions/{name}/properties/extra: the name is taken")
        value = _value(schema, subschema)
        if value.kind == "union":
            raise SchemaError(f"#/definitions/{name}/properties/{key}: unions only in arrays")
        if value.kind == "float" and value.nullable and value.clamp is not None:
            raise SchemaError(f"#/definitions/{name}/properties/{key}: null cannot be clamped")
        default = value.wire.get("default")
        fields.append(
            Field(
                name=key,
                value=value,
                required=key in required,
                default=float(default)
                if value.kind == "float" and default is not None
                else default,
            )
        )
    return ObjectType(name, tuple(fields), is_open)


def _value(schema: Schema, subschema: dict[str, Any]) -> Value:
    wire = resolve(schema.document, subschema)
    if "oneOf" in wire:
        return Value("union", wire, name=reference_name(subschema))
    if "const" in wire:
        return Value("const", wire)
    types = _types(wire)
    nullable = "null" in types
    if types == ["null"]:
        return Value("null", wire, nullable=True)
    (declared,) = (name for name in types if name != "null")
    if declared == "object":
        return Value("object", wire, name=reference_name(subschema))
    if declared == "array":
        return Value("array", wire, item=_value(schema, wire["items"]))
    if declared == "number":
        whole = wire.get("x-decode", {}).get("integer", False)
        return Value("int" if whole else "float", wire, nullable)
    kinds: dict[str, Kind] = {"integer": "int", "string": "str", "boolean": "bool"}
    return Value(kinds[declared], wire, nullable)


def _types(wire: dict[str, Any]) -> list[str]:
    declared = wire.get("type", [])
    return declared if isinstance(declared, list) else [declared]
