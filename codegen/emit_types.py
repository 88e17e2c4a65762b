"""Emits `unisights/types.py`: the payload's dataclasses, by datamodel-code-generator.

The generator is given a Python view of the schema, in which the decoded form is the form:
timestamps are integers, what has a default is never null. Its template is ours
(`templates/dataclass.jinja2`): it adds to the classes the constraints that the byte decoder reads,
`to_dict`, `from_dict` and `_build`; and it makes records (`unisights._schema.structs`) of those
that msgspec decodes directly.

Of the generator's output, the imports before the first class are replaced by `HEADER`, and tables
of the unions' members are put behind it; nothing else is changed.
"""

import json
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

from datamodel_code_generator import InputFileType, generate
from datamodel_code_generator.enums import DataModelType
from datamodel_code_generator.format import PythonVersion
from datamodel_code_generator.parser import LiteralType

from codegen.document import DRAFT_07
from codegen.emit_building import build_arguments, emit_union_tables
from codegen.model import Field, Model, ObjectType, Value
from codegen.payload import DERIVED, PAYLOAD, RECEIVED
from codegen.wire_structs import constraints, find_acyclic, find_indirect

TEMPLATES = Path(__file__).parent / "templates"

ENCRYPTED_DOC = (
    "Whether the session came encrypted. Not part of equality: the same session sent plain and "
    "sent encrypted makes equal payloads."
)
EXTRA_DOC = "The properties that the schema does not name."

HEADER = '''"""The types of a payload: what handlers receive, and what `to_dict` writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

from unisights._schema.clock_skew import clock_skew
from unisights._schema.content_id import canonical, digest
from unisights._schema.conversions import to_float, to_int, validated
from unisights._schema.structs import Record, record
'''


def emit_types(model: Model) -> str:
    """Return the module's source, not yet formatted."""
    body = generate(
        json.dumps(_python_view(model)),
        input_file_type=InputFileType.JsonSchema,
        output_model_type=DataModelType.DataclassesDataclass,
        target_python_version=PythonVersion.PY_311,
        custom_template_dir=TEMPLATES,
        extra_template_data=_template_data(model),
        enum_field_as_literal=LiteralType.All,
        strict_nullable=True,
        keyword_only=True,
        formatters=[],
        disable_timestamp=True,
        custom_file_header="# body",
    )
    if not isinstance(body, str):
        raise TypeError("the generator returned more than one module")
    declarations = body[body.index("\n@") :]
    exports = sorted([*model.objects, *model.unions])
    header = HEADER if "msgspec.field" in declarations else HEADER.replace("import msgspec\n", "")
    return f"{header}\n__all__ = {exports!r}\n{declarations}\n\n{emit_union_tables(model)}"


def _python_view(model: Model) -> dict[str, Any]:
    """The schema of the decoded form."""
    definitions: dict[str, Any] = {}
    for name, obj in model.objects.items():
        members = {f.name: _view(f.value) for f in _attributes(obj)}
        if obj.is_open:
            members["extra"] = {"type": "object", "additionalProperties": {"type": "string"}}
        if name == PAYLOAD:
            members |= {key: added.view for key, added in RECEIVED.items()}
        # Everything is required in the decoded form: the defaults are the template's to write.
        definitions[name] = {"type": "object", "properties": members, "required": [*members]}
    for name, union in model.unions.items():
        branches = [{"$ref": f"#/definitions/{member}"} for member in union.members.values()]
        definitions[name] = {"oneOf": branches}
    return {"$schema": DRAFT_07, "definitions": definitions}


def _view(value: Value) -> dict[str, Any]:
    match value.kind:
        case "object" | "union":
            return {"$ref": f"#/definitions/{value.name}"}
        case "array":
            assert value.item is not None
            return {"type": "array", "items": _view(value.item)}
        case "const":
            constant = value.wire["const"]
            return {"type": "boolean"} if isinstance(constant, bool) else {"const": constant}
        case _ if "enum" in value.wire:
            return {"enum": value.wire["enum"]}
        case _:
            names = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
            declared = names[value.kind]
            return {"type": [declared, "null"] if value.nullable else declared}


def _template_data(model: Model) -> defaultdict[str, dict[str, Any]]:
    data: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    indirect = find_indirect(model)
    acyclic = find_acyclic(model, indirect)
    tagged = {member for union in model.unions.values() for member in union.members.values()}
    for name, obj in model.objects.items():
        is_record = name not in indirect
        details = {
            f.name: {
                "meta": constraints(f.value),
                "is_tag": is_record and name in tagged and f.name == "type",
                "default": _default(f, is_record=is_record),
                "doc": _docstring(_description(f), 4),
            }
            for f in _attributes(obj)
        }
        if obj.is_open:
            default = " = field(default_factory=dict)"
            details["extra"] = {"meta": "", "default": default, "doc": _docstring(EXTRA_DOC, 4)}
        if name == PAYLOAD:
            details |= {
                key: {
                    "meta": "",
                    "default": f" = {r.default}",
                    "doc": _docstring(r.doc, 4),
                    "hint": r.hint,
                }
                for key, r in RECEIVED.items()
            }
        definition = model.schema.definitions[name]
        data[f"#/definitions/{name}"]["plan"] = {
            "decorator": "@record" if is_record else "@dataclass(slots=True, kw_only=True)",
            "bases": _bases(obj, is_tagged=name in tagged, has_gc=name not in acyclic)
            if is_record
            else "",
            "doc": _docstring(definition["description"], 4),
            "fields": details,
            "derived": {
                key: {"hint": d.hint, "doc": _docstring(d.doc, 8), "expression": d.expression}
                for key, d in DERIVED.items()
            }
            if name == PAYLOAD
            else {},
            "to_dict": _to_dict(obj),
            "build": ", ".join(build_arguments(obj)),
            "to_dict_doc": "Return the payload in its plain wire form, ready for JSON."
            if name == PAYLOAD
            else "Return the JSON object that decodes to an equal value.",
        }
    return data


def _attributes(obj: ObjectType) -> list[Field]:
    return [f for f in obj.fields if f.value.kind != "null"]


def _description(f: Field) -> str:
    if f.value.kind == "const" and isinstance(f.value.wire["const"], bool):
        return ENCRYPTED_DOC
    return str(f.value.wire.get("description", ""))


def _bases(obj: ObjectType, *, is_tagged: bool, has_gc: bool) -> str:
    """The base of a record, and how it is made."""
    arguments = ["Record", "kw_only=True"]
    if is_tagged:
        (tag,) = (f.value.wire["const"] for f in obj.fields if f.name == "type")
        arguments += ['tag_field="type"', f"tag={tag!r}"]
    if not has_gc:
        arguments.append("gc=False")
    return f"({', '.join(arguments)})"


def _default(f: Field, *, is_record: bool) -> str:
    """The assignment behind an attribute's annotation."""
    field = "msgspec.field" if is_record else "field"
    if f.value.kind == "const":
        constant = f.value.wire["const"]
        if isinstance(constant, bool):
            return f" = field(default={constant!r}, compare=False)"
        return f" = {constant!r}"
    if f.required:
        return ""
    if f.value.kind == "object":
        if f.default:
            raise ValueError(f"{f.name}: an object's default can only be {{}}")
        return f" = {field}(default_factory=lambda: {f.value.name}())"
    if f.value.kind == "array":
        return f" = {field}(default_factory=list)"
    return f" = {f.default!r}"


def _to_dict(obj: ObjectType) -> str:
    pairs = [f'"{f.name}": {_encoded(f)}' for f in _attributes(obj)]
    if obj.is_open:
        pairs.insert(0, "**self.extra")
    return "{" + ", ".join(pairs) + "}"


def _encoded(f: Field) -> str:
    attribute = f"self.{f.name}"
    value = f.value
    if value.kind == "const":
        return repr(value.wire["const"])
    if value.kind == "object":
        return f"{attribute}.to_dict()"
    if value.kind == "array":
        assert value.item is not None
        if value.item.kind in {"object", "union"}:
            return f"[item.to_dict() for item in {attribute}]"
        return f"list({attribute})"
    return attribute


def _docstring(text: str, indent: int) -> str:
    """A wrapped docstring literal, its lines after the first indented."""
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text += " "
    width = 99 - indent
    if len(text) + 6 <= width:
        return f'"""{text}"""'
    margin = " " * indent
    lines = textwrap.wrap(f'"""{text}', width, break_on_hyphens=False)
    return f"\n{margin}".join([*lines, '"""'])
