"""The schema's document, as it is installed with the package."""

import json
from functools import cache
from typing import Any

_NOT_OPENAPI = {"$schema", "$id", "definitions", "x-version", "x-decode", "x-expects"}


def schema_text() -> str:
    """Return the schema file's text; its UTF-8 bytes have the digest `SCHEMA_DIGEST`."""
    # A tenth of the time that importing the package takes, and few need it.
    from importlib.resources import files  # noqa: PLC0415

    return (files("unisights") / "_schema" / "generated" / "unisights.schema.json").read_text(
        "utf-8"
    )


@cache
def inlined_schema() -> dict[str, Any]:
    """Return the schema without references, for documents that embed it, such as OpenAPI's."""
    document = json.loads(schema_text())
    inlined: dict[str, Any] = _inline(document, document["definitions"])
    return inlined


def inlined_definition(name: str) -> dict[str, Any]:
    """Return one of the schema's definitions without references."""
    document = json.loads(schema_text())
    inlined: dict[str, Any] = _inline(document["definitions"][name], document["definitions"])
    return inlined


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        return _inline(node, definitions)
    return {
        key: _inline(value, definitions) for key, value in node.items() if key not in _NOT_OPENAPI
    }
