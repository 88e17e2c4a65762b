"""The referee: what `jsonschema`, which has no code of ours, says of a body and of its parts."""

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NoReturn

import jsonschema

from tests.support import ROOT

SCHEMA: dict[str, Any] = json.loads((ROOT / "schema" / "unisights.schema.json").read_bytes())
DEFINITIONS: dict[str, Any] = SCHEMA["definitions"]
REFEREE = jsonschema.Draft7Validator(SCHEMA)

Problems = set[tuple[str, str]]
"""Places, as JSON Pointers, and the rules that are broken there."""

UNREADABLE: Problems = {("", "json")}
"""What is wrong with a body that is not JSON."""

BEYOND_THE_SCHEMA = {"json", "base64", "tag", "site_id"}
"""The rules that no schema can say."""


@cache
def referee(definition: str) -> jsonschema.Draft7Validator:
    """The referee for one of the schema's definitions."""
    return REFEREE.evolve(schema={"$ref": f"#/definitions/{definition}"})


# Reading the schema.


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """A subschema behind its reference."""
    while "$ref" in schema:
        schema = DEFINITIONS[schema["$ref"].removeprefix("#/definitions/")]
    return schema


def reference_name(schema: dict[str, Any]) -> str:
    """The definition that a subschema refers to; empty if to none."""
    return str(schema.get("$ref", "")).removeprefix("#/definitions/")


MEMBERS = {
    DEFINITIONS[reference_name(branch)]["properties"]["type"]["const"]: reference_name(branch)
    for branch in DEFINITIONS["UnisightsEvent"]["oneOf"]
}
"""The definition of each type of event."""


def form_of(obj: Any) -> str:
    """The definition that a body is validated by."""
    if isinstance(obj, dict) and obj.get("encrypted") is True:
        has_envelope = obj.get("envelope") is not None
        return "EncryptedEnvelopePayload" if has_envelope else "EncryptedPayload"
    return "UnisightsPayload"


# Reading a body.


def parse(body: bytes) -> Any:
    """Read a body as the vectors' format says, strictly but for numbers beyond doubles.

    Those are infinite here.

    Raises:
        ValueError: it is not JSON.
    """

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    def to_int(digits: str) -> float:
        return int(digits) if math.isfinite(float(digits)) else float(digits)

    text = body.decode("utf-8-sig")
    return well_formed(json.loads(text, parse_constant=refuse, parse_int=to_int))


def well_formed(value: Any) -> Any:
    """Parsed JSON with U+FFFD for every lone surrogate."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, list):
        return [well_formed(item) for item in value]
    if isinstance(value, dict):
        return {well_formed(key): well_formed(item) for key, item in value.items()}
    return value


def is_finite(value: Any) -> bool:
    """Whether parsed JSON holds no infinite number."""
    return not [*infinities_in(value)]


def infinities_in(value: Any, pointer: str = "") -> Iterator[str]:
    """The places of parsed JSON where a number is infinite."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from infinities_in(item, f"{pointer}/{escaped(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from infinities_in(item, f"{pointer}/{index}")
    elif isinstance(value, float) and math.isinf(value):
        yield pointer


class NoDouble:
    """Stands for a number that no double can hold: it has no type by the schema."""


def without_infinity(value: Any) -> Any:
    """Parsed JSON with a value of no type for every infinite number."""
    if isinstance(value, dict):
        return {key: without_infinity(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_infinity(item) for item in value]
    return NoDouble() if isinstance(value, float) and math.isinf(value) else value


# The result.


def escaped(part: object) -> str:
    """A step of a JSON Pointer."""
    return str(part).replace("~", "~0").replace("/", "~1")


def problems_by_referee(definition: str, obj: Any, pointer: str = "") -> Problems:
    """The broken rules by `jsonschema`, an event's by the definition that its type names."""
    found: Problems = set()
    for error in referee(definition).iter_errors(obj):
        place = pointer + "".join(f"/{escaped(part)}" for part in error.absolute_path)
        if error.validator != "oneOf":
            found.add((place, error.validator))
        elif not isinstance(error.instance, dict):
            found.add((place, "type"))
        elif "type" not in error.instance:
            found.add((place, "required"))
        elif error.instance["type"] not in [*MEMBERS]:
            found.add((f"{place}/type", "enum"))
        else:
            member = MEMBERS[error.instance["type"]]
            found |= problems_by_referee(member, error.instance, place)
    return found
