"""Who decodes: each contestant takes a plain body's bytes."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fastjsonschema
import jsonschema_rs
import orjson

from benchmarks.peers import msgspec_structs, pydantic_models
from unisights import decode_unisights_payload
from unisights.schema import schema_text

OURS = "unisights"
LIMIT = "orjson.loads"
PYDANTIC = "pydantic"
STRUCTS = "msgspec Structs"


@dataclass(frozen=True)
class Decoder:
    """One way from bytes to something.

    Attributes:
        name: the contestant's name.
        decode: takes a body.
        result: what one gets.
    """

    name: str
    decode: Callable[[bytes], Any]
    result: str


def _compiled() -> Callable[[Any], Any]:
    """The plain payload's schema, compiled by fastjsonschema without changes to it."""
    return fastjsonschema.compile(_plain_schema(), use_default=False)


def _plain_schema() -> dict[str, Any]:
    """The schema of the plain form alone, which all of the contestants take."""
    schema = json.loads(schema_text())
    return {
        "$schema": schema["$schema"],
        "$ref": "#/definitions/UnisightsPayload",
        "definitions": schema["definitions"],
    }


@functools.cache
def decoders() -> tuple[Decoder, ...]:
    """All contestants; what only parses first, what checks and types last."""
    compiled = _compiled()
    validate = jsonschema_rs.validator_for(_plain_schema()).validate

    def validate_with_rust(body: bytes) -> Any:
        parsed = orjson.loads(body)
        validate(parsed)
        return parsed

    return (
        Decoder(LIMIT, orjson.loads, "dicts, unchecked"),
        Decoder("json.loads", json.loads, "dicts, unchecked"),
        Decoder(OURS, decode_unisights_payload, "dataclasses, checked"),
        Decoder(STRUCTS, msgspec_structs.decode, "Structs, checked"),
        Decoder(PYDANTIC, pydantic_models.decode, "models, checked"),
        Decoder("orjson + jsonschema-rs", validate_with_rust, "dicts, checked"),
        Decoder(
            "orjson + fastjsonschema", lambda body: compiled(orjson.loads(body)), "dicts, checked"
        ),
        Decoder("json + fastjsonschema", lambda body: compiled(json.loads(body)), "dicts, checked"),
    )
