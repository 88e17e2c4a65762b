"""Valid values of the schema's definitions, and where in a payload each object may stand."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from codegen.model import Field, Model
from codegen.payload import PAYLOAD


@dataclass(frozen=True)
class Place:
    """Where an object stands in a payload.

    Attributes:
        pointer: the place, as a JSON Pointer.
        holders: the objects around it, outermost first: each with the key that holds the next one,
            and whether that is an array of it.
    """

    pointer: str = ""
    holders: tuple[tuple[dict[str, Any], str, bool], ...] = ()

    def payload(self, value: Any) -> Any:
        """A payload with a value at this place."""
        for holder, key, is_array in reversed(self.holders):
            value = {**holder, key: [value] if is_array else value}
        return value


def find_places(model: Model) -> dict[str, Place]:
    """The place of every object that a plain payload can hold, the payload first."""
    places = {PAYLOAD: Place()}
    queue = deque([PAYLOAD])
    while queue:
        name = queue.popleft()
        for f in model.objects[name].fields:
            held = f.value.item or f.value
            is_array = f.value.item is not None
            members = {"object": [held.name], "union": [*_members(model, held.name)]}
            for member in members.get(held.kind, ()):
                if member not in places:
                    above = places[name]
                    pointer = f"{above.pointer}/{f.name}{'/0' if is_array else ''}"
                    holder = (sample_object(model, name), f.name, is_array)
                    places[member] = Place(pointer, (*above.holders, holder))
                    queue.append(member)
    return places


def _members(model: Model, name: str) -> list[str]:
    return [*model.unions[name].members.values()] if name in model.unions else []


def sample_object(model: Model, name: str) -> dict[str, Any]:
    """An object with what a definition requires, and no more."""
    return {f.name: sample_field(model, f) for f in model.objects[name].fields if f.required}


def sample_field(model: Model, f: Field) -> Any:
    """A valid value of a property: the schema's first example, if it has one.

    What has a pattern has an example: the gate sees to that.
    """
    wire = f.value.wire
    if "examples" in wire:
        return wire["examples"][0]
    match f.value.kind:
        case "const":
            return wire["const"]
        case "object":
            return sample_object(model, f.value.name)
        case "str" if "enum" in wire:
            return wire["enum"][0]
        case "str":
            return "x" * max(wire.get("minLength", 0), min(1, wire.get("maxLength", 1)))
        case "int" | "float":
            return max(wire.get("minimum", 1), min(1, wire.get("maximum", 1)))
        case _:
            return {"array": [], "bool": True, "null": None}[f.value.kind]
