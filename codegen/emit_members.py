"""Emits `_schema/generated/members.py`: structs of the unions' members.

The compiled validators name every violation, and are ten times slower than msgspec. What msgspec
converts into one of these structs is valid: validation asks it first, and the compiled validators
about the rest. The structs need not be complete: a whole number that is written `1.0` is not taken.
"""

from codegen.model import Model
from codegen.wire_structs import WireStructs, reach

HEADER = '''"""Structs that take members of unions, if they are valid."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field
'''

TABLE = '''
MEMBERS: dict[str, type[Struct]] = {{{members}}}
"""The struct of each definition; a definition that a struct cannot express has none."""
'''


def emit_members(model: Model) -> str:
    """Return the module's source, not yet formatted."""
    members = [
        name
        for union in model.unions.values()
        for name in union.members.values()
        if not _holds_boolean_constants(model, name)
    ]
    # No class of the types may be named here: all are decoded by structs.
    structs = WireStructs(model, {*model.objects}, is_lenient=False)
    table = TABLE.format(members=", ".join(f"{name!r}: _{name}" for name in members))
    return "\n\n".join([HEADER, *structs.emit(reach(model, model.unions)), table])


def _holds_boolean_constants(model: Model, name: str) -> bool:
    """Whether an object holds constants that msgspec has no type for, at any depth."""
    return any(
        f.value.kind == "const" and isinstance(f.value.wire["const"], bool)
        for held in reach(model, [name])
        if held in model.objects
        for f in model.objects[held].fields
    )
