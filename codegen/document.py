"""The schema's document: what its keywords and references mean to every module."""

from typing import Any

DRAFT_07 = "http://json-schema.org/draft-07/schema#"

ANNOTATIONS = {"title", "description", "examples", "default"}
"""Keywords that describe, and do not validate."""


class SchemaError(Exception):
    """The schema is not one that every generator can honour; says where and why."""


def resolve(document: dict[str, Any], subschema: dict[str, Any]) -> dict[str, Any]:
    """Follow a subschema's `$ref`; the place of use overrides the target's annotations."""
    if "$ref" not in subschema:
        return subschema
    target = document["definitions"][reference_name(subschema)]
    own = {key: value for key, value in subschema.items() if key != "$ref"}
    return {**resolve(document, target), **own}


def reference_name(subschema: dict[str, Any]) -> str:
    """The definition that a `$ref` names."""
    return str(subschema["$ref"]).rpartition("/")[2]
