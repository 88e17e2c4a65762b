"""Refuses schemas that one of the generators could not honour.

What is generated must agree about every payload: a keyword that only some of the generators
understand is refused, with its place.
"""

import keyword
import re
from collections.abc import Iterator
from typing import Any

import jsonschema

from codegen.document import ANNOTATIONS, DRAFT_07, SchemaError, reference_name, resolve

ROOT_ANNOTATIONS = {"$schema", "$id", "x-version", "definitions"}
"""Keywords of the root alone."""

# What each kind of subschema may say; whatever is not named here is refused.
OBJECT_KEYWORDS = {"type", "required", "properties", "additionalProperties"}
UNION_KEYWORDS = {"oneOf"}
REFERENCE_KEYWORDS = {"$ref"}
CONST_KEYWORDS = {"const"}
ARRAY_KEYWORDS = {"type", "items"}
STRING_KEYWORDS = {"type", "enum", "minLength", "maxLength", "pattern", "x-expects"}
NUMBER_KEYWORDS = {"type", "minimum", "maximum", "x-decode"}
BOOLEAN_KEYWORDS = {"type"}

DECODE_DIRECTIVES = {"integer", "maximum"}
"""What `x-decode` may ask of decoders: round down to a whole number, clamp to a maximum."""


RESERVED_NAMES = {
    *("to_dict", "from_dict", "raw", "received_at", "quarantined"),
    *("sent_bucket", "content_id", "clock_skew"),
    *("field", "str", "int", "float", "bool", "bytes", "list", "dict", "tuple", "object"),
    "classmethod",
}
"""Attributes that the generated classes have of their own, or that would hide what they use."""

RESERVED_CLASSES = {"Any", "Annotated", "ClassVar", "Literal", "Meta", "Record", "TypeAlias"}
"""Names that the generated modules import."""

MAX_INTEGER = 2**53 - 1
"""The greatest whole number that every JSON implementation holds exactly."""


def check_document(document: Any) -> None:
    """Check a schema's document.

    Raises:
        SchemaError: it is no draft-07 schema, or uses a keyword that one of the generators cannot
            honour. The message holds the JSON Pointer of the place.
    """
    if not isinstance(document, dict) or document.get("$schema") != DRAFT_07:
        raise SchemaError(f"#/$schema: must be {DRAFT_07!r}")
    try:
        jsonschema.Draft7Validator.check_schema(document)
    except jsonschema.SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path)
        raise SchemaError(f"#/{place}: not valid draft-07: {error.message}") from error
    if not re.fullmatch(r"\d+\.\d+\.\d+", str(document.get("x-version"))):
        raise SchemaError("#/x-version: must be a semantic version such as '1.2.3'")
    _only(document, ROOT_ANNOTATIONS | ANNOTATIONS | UNION_KEYWORDS, "#")
    for branch in document.get("oneOf", ()):
        _check_reference(document, branch, "#/oneOf")
    definitions = document.get("definitions", {})
    for name, definition in definitions.items():
        if not name.isidentifier() or keyword.iskeyword(name) or name in RESERVED_CLASSES:
            raise SchemaError(f"#/definitions/{name}: not usable as a class name")
        if isinstance(definition, dict) and "$ref" in definition:
            raise SchemaError(f"#/definitions/{name}: an alias; refer to its target instead")
        if [other.lower() for other in definitions].count(name.lower()) > 1:
            raise SchemaError(f"#/definitions/{name}: another one differs in case only")
        _check(document, definition, f"#/definitions/{name}", top=True)
    for name in definitions:
        _check_acyclic(document, name, ())
    for name, definition in definitions.items():
        _check_completeness(document, name, definition)
    _check_values(document)


def _check(document: dict[str, Any], subschema: Any, place: str, *, top: bool = False) -> None:
    if not isinstance(subschema, dict):
        raise SchemaError(f"{place}: a boolean schema cannot be turned into a type")
    if "$ref" in subschema:
        _check_reference(document, subschema, place)
    elif "oneOf" in subschema:
        _check_union(document, subschema, place, top=top)
    elif "const" in subschema:
        _only(subschema, CONST_KEYWORDS | ANNOTATIONS, place)
        if not isinstance(subschema["const"], str | bool):
            raise SchemaError(f"{place}/const: must be a string or a boolean")
    else:
        _check_typed(document, subschema, place, top=top)


def _check_typed(
    document: dict[str, Any], subschema: dict[str, Any], place: str, *, top: bool
) -> None:
    declared = subschema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    kinds = [name for name in names if name != "null"]
    if declared is None:
        _only(subschema, ANNOTATIONS, place)
        raise SchemaError(f"{place}: must say its type")
    if declared == "null":
        _only(subschema, BOOLEAN_KEYWORDS | ANNOTATIONS, place)
    elif len(kinds) != 1:
        raise SchemaError(f"{place}/type: must be one type, or one type and 'null'")
    elif kinds[0] == "object":
        _check_object(document, subschema, place, top=top)
    elif kinds[0] == "array":
        _only(subschema, ARRAY_KEYWORDS | ANNOTATIONS, place)
        if declared != "array":
            raise SchemaError(f"{place}/type: an array cannot be nullable; give it a default")
        if "items" not in subschema:
            raise SchemaError(f"{place}: an array must say what its items are")
        _check(document, subschema["items"], f"{place}/items")
        if subschema["items"].get("type") == "array":
            raise SchemaError(f"{place}/items: arrays of arrays are not supported")
    elif kinds[0] == "string":
        _only(subschema, STRING_KEYWORDS | ANNOTATIONS, place)
        _check_string(subschema, place)
    elif kinds[0] in {"number", "integer"}:
        _only(subschema, NUMBER_KEYWORDS | ANNOTATIONS, place)
        _check_number(subschema, place, kinds[0])
    else:
        _only(subschema, BOOLEAN_KEYWORDS | ANNOTATIONS, place)


def _check_number(subschema: dict[str, Any], place: str, declared: str) -> None:
    directives = subschema.get("x-decode", {})
    if not isinstance(directives, dict):
        raise SchemaError(f"{place}/x-decode: must be an object")
    if unknown := set(directives) - DECODE_DIRECTIVES:
        raise SchemaError(f"{place}/x-decode: unknown directive {min(unknown)!r}")
    if declared != "integer" and not directives.get("integer"):
        return
    bounds: dict[str, Any] = {
        key: subschema[key] for key in ("minimum", "maximum") if key in subschema
    }
    if "maximum" in directives:
        bounds["x-decode/maximum"] = directives["maximum"]
    for key, bound in bounds.items():
        if type(bound) is not int or abs(bound) > MAX_INTEGER:
            raise SchemaError(f"{place}/{key}: must be a whole number of at most 2**53 - 1")


def _check_object(
    document: dict[str, Any], subschema: dict[str, Any], place: str, *, top: bool
) -> None:
    if not top:
        raise SchemaError(f"{place}: move the object to #/definitions, its key is the class's name")
    if subschema["type"] != "object":
        raise SchemaError(f"{place}/type: an object cannot be nullable; give it a default")
    _only(subschema, OBJECT_KEYWORDS | ANNOTATIONS, place)
    properties = subschema.get("properties", {})
    for name in subschema.get("required", ()):
        if name not in properties:
            raise SchemaError(f"{place}/required: {name!r} is not among the properties")
    for name, member in properties.items():
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise SchemaError(f"{place}/properties/{name}: not usable as an attribute's name")
        if name in RESERVED_NAMES:
            raise SchemaError(f"{place}/properties/{name}: the name is taken by the class itself")
        _check(document, member, f"{place}/properties/{name}")
    extra = subschema.get("additionalProperties", True)
    if extra is False:
        raise SchemaError(
            f"{place}/additionalProperties: unknown properties must stay allowed, "
            "an older receiver has to survive a newer client"
        )
    if extra is not True:
        _only(extra, {"type"} | ANNOTATIONS, f"{place}/additionalProperties")
        if extra.get("type") != "string":
            raise SchemaError(f"{place}/additionalProperties: only strings are supported")
        _check_open(subschema, place)


def _check_open(subschema: dict[str, Any], place: str) -> None:
    """An open object is decoded as one map of strings, so its properties must be strings too."""
    for name, member in subschema.get("properties", {}).items():
        if set(member) - ANNOTATIONS != {"type"} or member["type"] != "string":
            raise SchemaError(f"{place}/properties/{name}: must be a plain string, as the rest is")
        if "default" not in member:
            raise SchemaError(f"{place}/properties/{name}: needs a default")


def _check_string(subschema: dict[str, Any], place: str) -> None:
    pattern = subschema.get("pattern", "")
    # Python's `$` also matches before a closing newline, ECMA's does not, and the compiler
    # rewrites it: bounds on the length say the same without a disagreement.
    if "$" in re.sub(r"\\.", "", pattern):
        raise SchemaError(f"{place}/pattern: '$' differs between regex dialects, use maxLength")
    if re.search(r"\\[dDwWsSbB]", pattern):
        raise SchemaError(f"{place}/pattern: classes such as \\\\d differ between regex dialects")
    if any(not isinstance(value, str) for value in subschema.get("enum", ())):
        raise SchemaError(f"{place}/enum: must list strings only")
    if "enum" in subschema and isinstance(subschema["type"], list):
        raise SchemaError(f"{place}/enum: cannot be nullable")


def _check_union(
    document: dict[str, Any], subschema: dict[str, Any], place: str, *, top: bool
) -> None:
    if not top:
        raise SchemaError(f"{place}: move the union to #/definitions, its key is its name")
    _only(subschema, UNION_KEYWORDS | ANNOTATIONS, place)
    tags: dict[str, str] = {}
    for branch in subschema["oneOf"]:
        _check_reference(document, branch, f"{place}/oneOf")
        name = reference_name(branch)
        member = document["definitions"][name]
        tag = member.get("properties", {}).get("type", {}).get("const")
        if not isinstance(tag, str) or "type" not in member.get("required", ()):
            raise SchemaError(
                f"{place}/oneOf: {name} must require a 'type' that is a constant string, "
                "so that the union can be told apart by it"
            )
        if tag in tags:
            raise SchemaError(f"{place}/oneOf: {name} and {tags[tag]} share the type {tag!r}")
        tags[tag] = name
    if len(subschema["oneOf"]) < 2:
        raise SchemaError(f"{place}/oneOf: must have two members or more")


def _check_reference(document: dict[str, Any], subschema: dict[str, Any], place: str) -> None:
    _only(subschema, REFERENCE_KEYWORDS | ANNOTATIONS, place)
    target = subschema.get("$ref", "")
    name = target.removeprefix("#/definitions/")
    if name == target or name not in document.get("definitions", {}):
        raise SchemaError(f"{place}/$ref: {target!r} is not one of #/definitions")


def _check_acyclic(document: dict[str, Any], name: str, above: tuple[str, ...]) -> None:
    """Refuse definitions that hold themselves: decoding would have no bound on depth."""
    if name in above:
        raise SchemaError(f"#/definitions/{name}: holds itself")
    for target in _references(document["definitions"][name]):
        _check_acyclic(document, target, (*above, name))


def _references(subschema: Any) -> Iterator[str]:
    if isinstance(subschema, list):
        for item in subschema:
            yield from _references(item)
    elif isinstance(subschema, dict):
        if "$ref" in subschema:
            yield reference_name(subschema)
        for key, member in subschema.items():
            if key not in ANNOTATIONS:
                yield from _references(member)


def _check_completeness(document: dict[str, Any], name: str, definition: dict[str, Any]) -> None:
    """Refuse what has no description, no value when it is absent, or no example that it needs."""
    place = f"#/definitions/{name}"
    if definition.get("title", name) != name:
        raise SchemaError(f"{place}/title: must be {name!r}, the class's name")
    members = {
        f"{place}/properties/{key}": resolve(document, member)
        for key, member in definition.get("properties", {}).items()
    }
    described = {place: definition, **members}
    if isinstance(definition.get("additionalProperties"), dict):
        described[f"{place}/additionalProperties"] = definition["additionalProperties"]
    for at, subschema in described.items():
        if not str(subschema.get("description", "")).strip():
            raise SchemaError(f"{at}: needs a description; it becomes a docstring")
    for at, member in members.items():
        if "pattern" in member and not member.get("examples"):
            raise SchemaError(f"{at}: a pattern needs an example, which vectors are made with")
        # Of an attribute that may be absent beside its values, msgspec would know only by way of
        # another struct: an event that holds one is decoded three times slower.
        has_value = {"default", "oneOf"} & member.keys() or "null" in member.get("type", ())
        if not has_value and at.rpartition("/")[2] not in definition.get("required", ()):
            raise SchemaError(
                f"{at}: is optional and needs a default; "
                "give it one, or allow null, or list it as required"
            )


def _check_values(document: dict[str, Any]) -> None:
    """Refuse defaults and examples that are invalid, and defaults that are not empty but shared."""
    for name, definition in document["definitions"].items():
        for key, member in definition.get("properties", {}).items():
            place = f"#/definitions/{name}/properties/{key}"
            if isinstance(member.get("default"), dict | list) and member["default"]:
                raise SchemaError(
                    f"{place}/default: an object or array can only be empty by default"
                )
            _check_shown(document, member, place)
        _check_shown(document, definition, f"#/definitions/{name}")


def _check_shown(document: dict[str, Any], subschema: dict[str, Any], place: str) -> None:
    """Refuse a default, or an example, that is not valid itself."""
    shown = {
        f"{place}/examples/{index}": example
        for index, example in enumerate(subschema.get("examples", ()))
    }
    if "default" in subschema:
        shown[f"{place}/default"] = subschema["default"]
    validator = jsonschema.Draft7Validator({**document, "oneOf": [subschema]})
    for at, value in shown.items():
        for error in validator.iter_errors(value):
            cause = error.context[0] if error.context else error
            raise SchemaError(f"{at}: not valid itself: {cause.message}")


def _only(subschema: dict[str, Any], allowed: set[str], place: str) -> None:
    for key in subschema:
        if key not in allowed:
            raise SchemaError(
                f"{place}/{key}: the generators cannot all honour this keyword here; "
                f"allowed are {', '.join(sorted(allowed))}"
            )
