"""The endpoint's request and responses as OpenAPI describes them."""

from typing import Any

from unisights._schema.checks import MAX_LISTED
from unisights.schema import inlined_schema

_TEXT = {"type": "string"}


def describe_request() -> dict[str, Any]:
    """Return the part of an OpenAPI operation that describes the request's body."""
    content = {"application/json": {"schema": inlined_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def describe_responses() -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an OpenAPI operation, by status code."""
    received = _object(
        {
            "status": _TEXT,
            "session_id": {"type": "string", "format": "uuid"},
            "quarantined": {
                "type": "integer",
                "minimum": 1,
                "description": "How many invalid events were quarantined; missing if none was.",
            },
        }
    )
    error = _object({"error": _TEXT})
    problem = _object({"pointer": _TEXT, "rule": _TEXT, "message": _TEXT})
    invalid = _object({"error": _TEXT, "errors": {"type": "array", "items": problem}})
    return {
        200: _response("The payload was valid and the handler has run.", received),
        202: _response("The payload was valid and the handler will run.", received),
        400: _response("The body is not JSON, or was cut before its end.", error),
        403: _response("Pages of this origin may not send.", error),
        413: _response("The body is too large.", error),
        415: _response("The content type or the content encoding is not supported.", error),
        422: _response(
            f"The payload is not valid; at most {MAX_LISTED} problems are listed.", invalid
        ),
        500: _response("The handler failed.", error),
        503: _response("The queue or spool is full, or the server is shutting down.", error),
    }


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}
