"""The decoders that are compared: each takes a plain body's bytes."""

import functools
import json
from collections.abc import Callable
from typing import Any

import fastjsonschema
import jsonschema_rs
import orjson

from benchmarks.peers import msgspec_structs, pydantic_models
from unisights import decode_unisights_payload
from unisights.schema import schema_text


@functools.cache
def decoders() -> dict[str, Callable[[bytes], object]]:
    """By name: those that only parse first, then those that check and return types, then dicts."""
    compiled = fastjsonschema.compile(_plain_schema(), use_default=False)
    validate = jsonschema_rs.validator_for(_plain_schema()).validate
    return {
        "orjson.loads": orjson.loads,
        "json.loads": json.loads,
        "unisights": decode_unisights_payload,
        "msgspec Structs": msgspec_structs.decode,
        "pydantic": pydantic_models.decode,
        "orjson + jsonschema-rs": lambda body: validate(orjson.loads(body)),
        "orjson + fastjsonschema": lambda body: compiled(orjson.loads(body)),
    }


def _plain_schema() -> dict[str, Any]:
    """The schema of the plain form alone, which all decoders take."""
    schema = json.loads(schema_text())
    return {
        "$schema": schema["$schema"],
        "$ref": "#/definitions/UnisightsPayload",
        "definitions": schema["definitions"],
    }
