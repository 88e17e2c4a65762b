"""The comparison of two schemas: every change is found, and whom it breaks is said."""

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from codegen.compare import Change, Effect, compare
from codegen.document import SchemaError
from codegen.model import Field, build_model
from codegen.schema import Schema, read_schema
from tests.support import ROOT
from unisights import testing

SCHEMA: dict[str, Any] = json.loads((ROOT / "schema" / "unisights.schema.json").read_bytes())
DEFINITIONS: dict[str, Any] = SCHEMA["definitions"]

Edit = Callable[[dict[str, Any]], None]

SENDERS, RECEIVERS = Effect.BREAKS_SENDERS, Effect.BREAKS_RECEIVERS
DECODING, UNCLASSIFIED = Effect.CHANGES_DECODING, Effect.UNCLASSIFIED
ADDITION, WORDS = Effect.ADDITION, Effect.DOCUMENTATION

GONE = object()


def setting(path: str, to: Any) -> Edit:
    """Set what is at a path below the definitions, or remove it."""
    *above, last = path.split("/")

    def edit(document: dict[str, Any]) -> None:
        holder = document["definitions"]
        for key in above:
            holder = holder[key]
        if to is GONE:
            del holder[last]
        else:
            holder[last] = to

    return edit


def all_of(*edits: Edit) -> Edit:
    """Make several edits."""

    def edit(document: dict[str, Any]) -> None:
        for one in edits:
            one(document)

    return edit


def at_root(key: str, to: Any) -> Edit:
    """Set a keyword of the root."""

    def edit(document: dict[str, Any]) -> None:
        document[key] = to

    return edit


def renamed(old: str, new: str) -> Edit:
    """Rename a definition, wherever it is referred to."""

    def edit(document: dict[str, Any]) -> None:
        text = json.dumps(document["definitions"])
        text = text.replace(f'"#/definitions/{old}"', f'"#/definitions/{new}"')
        text = text.replace(f'"{old}": {{', f'"{new}": {{')
        text = text.replace(f'"title": "{old}"', f'"title": "{new}"')
        document["definitions"] = json.loads(text)

    return edit


def changed(*edits: Edit) -> dict[str, Any]:
    """The schema with edits, which the gate must take."""
    document = copy.deepcopy(SCHEMA)
    all_of(*edits)(document)
    return document


def gated(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A document that the gate and the model take; they raise SchemaError for others."""
    path = folder / "unisights.schema.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    build_model(read_schema(path))
    return document


def found(old: dict[str, Any], new: dict[str, Any]) -> set[tuple[str, Effect]]:
    """The changes' places below the definitions, and their effects."""
    return {
        (change.place.removeprefix("#/definitions/"), change.effect) for change in compare(old, new)
    }


TEXT = {"description": "Added.", "type": "string"}
NULLABLE = {**TEXT, "type": ["string", "null"]}
NEW_EVENT = {
    "AddedEvent": {
        "description": "A tap.",
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"description": "Marks a tap.", "const": "added"}},
    }
}

UNION = "UnisightsEvent"
DATA, CLICK, VITAL = "UnisightsData/properties", "ClickEventData", "WebVitalEventData/properties"
DEVICE, UTM = "DeviceInfo/properties", "UtmParams/properties"
FAULT = "ErrorEventData/properties"
ENUM = ["good", "needs-improvement", "poor"]

TABLE: dict[str, tuple[Edit, set[tuple[str, Effect]]]] = {
    # Properties.
    "new optional property": (
        setting(f"{CLICK}/properties/added", NULLABLE),
        {(f"{CLICK}/properties/added", ADDITION)},
    ),
    "new optional property with default": (
        setting(f"{CLICK}/properties/added", {**TEXT, "default": ""}),
        {(f"{CLICK}/properties/added", ADDITION)},
    ),
    "new required property": (
        all_of(
            setting(f"{CLICK}/properties/added", TEXT),
            setting(f"{CLICK}/required", ["x", "y", "timestamp", "added"]),
        ),
        {(f"{CLICK}/properties/added", SENDERS)},
    ),
    "property removed": (
        setting(f"{DATA}/time_on_page", GONE),
        {(f"{DATA}/time_on_page", RECEIVERS)},
    ),
    "property renamed": (
        all_of(
            setting(f"{DATA}/time_on_page", GONE),
            setting(f"{DATA}/seconds", {**TEXT, "type": "number", "default": 0}),
        ),
        {(f"{DATA}/time_on_page", RECEIVERS), (f"{DATA}/seconds", ADDITION)},
    ),
    "required in another order": (
        setting(f"{CLICK}/required", ["y", "x", "timestamp"]),
        set(),
    ),
    "required property optional, with default": (
        all_of(
            setting(f"{CLICK}/required", ["y", "timestamp"]),
            setting(f"{CLICK}/properties/x/default", 0),
        ),
        {(f"{CLICK}/required", RECEIVERS)},
    ),
    "property made required": (
        setting("ErrorEventData/required", ["message", "timestamp", "source"]),
        {("ErrorEventData/required", SENDERS)},
    ),
    "property of an open object": (
        setting(f"{UTM}/utm_id", {**TEXT, "default": ""}),
        {(f"{UTM}/utm_id", RECEIVERS)},
    ),
    "unnamed properties not kept": (
        setting("UtmParams/additionalProperties", GONE),
        {("UtmParams/additionalProperties", RECEIVERS)},
    ),
    "unnamed properties described": (
        setting("UtmParams/additionalProperties", TEXT),
        {("UtmParams/additionalProperties", WORDS)},
    ),
    "unnamed properties allowed in words": (
        setting("ClickEventData/additionalProperties", True),
        set(),
    ),
    # Types.
    "null allowed": (
        setting(f"{DATA}/asset_id/type", ["string", "null"]),
        {(f"{DATA}/asset_id/type", RECEIVERS)},
    ),
    "null refused": (
        all_of(
            setting(f"{DATA}/exit_page/type", "string"), setting(f"{DATA}/exit_page/default", "")
        ),
        {(f"{DATA}/exit_page/type", SENDERS), (f"{DATA}/exit_page/default", DECODING)},
    ),
    "nothing but null allowed": (
        all_of(setting(f"{FAULT}/stack/type", "null"), setting(f"{FAULT}/stack/examples", GONE)),
        {
            (f"{FAULT}/stack/type", SENDERS),
            (f"{FAULT}/stack/type", RECEIVERS),
            (f"{FAULT}/stack/examples", WORDS),
        },
    ),
    "types in another order": (setting(f"{DATA}/exit_page/type", ["null", "string"]), set()),
    "one type in a list": (setting(f"{DATA}/asset_id/type", ["string"]), set()),
    "integer to number": (
        setting(f"{VITAL}/entries/type", "number"),
        {(f"{VITAL}/entries/type", RECEIVERS)},
    ),
    "integer to number, decoded to integer": (
        all_of(
            setting(f"{VITAL}/entries/type", "number"),
            setting(f"{VITAL}/entries/x-decode", {"integer": True}),
        ),
        {(f"{VITAL}/entries/type", ADDITION), (f"{VITAL}/entries/x-decode", WORDS)},
    ),
    "number to integer": (
        all_of(
            setting(f"{CLICK}/properties/x/type", "integer"),
            setting(f"{CLICK}/properties/x/examples", [100]),
        ),
        {
            (f"{CLICK}/properties/x/type", SENDERS),
            (f"{CLICK}/properties/x/type", RECEIVERS),
            (f"{CLICK}/properties/x/examples", WORDS),
        },
    ),
    "string to number": (
        all_of(setting(f"{VITAL}/id/type", "number"), setting(f"{VITAL}/id/examples", [1])),
        {
            (f"{VITAL}/id/type", SENDERS),
            (f"{VITAL}/id/type", RECEIVERS),
            (f"{VITAL}/id/examples", WORDS),
        },
    ),
    "string to array": (
        setting(f"{VITAL}/id", {"description": "x", "type": "array", "items": TEXT}),
        {(f"{VITAL}/id", UNCLASSIFIED)},
    ),
    "constant to boolean": (
        setting(
            "UnisightsPayload/properties/encrypted", {**TEXT, "type": "boolean", "default": False}
        ),
        {("UnisightsPayload/properties/encrypted", UNCLASSIFIED)},
    ),
    "object to string": (
        setting(f"{DATA}/utm_params", {**TEXT, "default": ""}),
        {(f"{DATA}/utm_params", UNCLASSIFIED), (f"{DATA}/utm_params/default", DECODING)},
    ),
    # Bounds.
    "new minimum": (
        setting(f"{CLICK}/properties/x/minimum", 0),
        {(f"{CLICK}/properties/x/minimum", SENDERS)},
    ),
    "greater minimum": (
        # The default must be valid too.
        all_of(
            setting(f"{DATA}/scroll_depth/minimum", 1), setting(f"{DATA}/scroll_depth/default", 1)
        ),
        {(f"{DATA}/scroll_depth/minimum", SENDERS), (f"{DATA}/scroll_depth/default", DECODING)},
    ),
    "greater minimum of a nullable": (
        setting(f"{FAULT}/lineno/minimum", -9007199254740990),
        {(f"{FAULT}/lineno/minimum", SENDERS)},
    ),
    "lesser minimum": (
        setting(f"{DATA}/time_on_page/minimum", -1),
        {(f"{DATA}/time_on_page/minimum", ADDITION)},
    ),
    "no minimum": (
        setting(f"{DATA}/time_on_page/minimum", GONE),
        {(f"{DATA}/time_on_page/minimum", ADDITION)},
    ),
    "minimum written otherwise": (setting(f"{DATA}/time_on_page/minimum", 0.0), set()),
    "new maximum": (
        setting(f"{DATA}/time_on_page/maximum", 1e9),
        {(f"{DATA}/time_on_page/maximum", SENDERS)},
    ),
    "lesser maximum": (
        setting(f"{VITAL}/entries/maximum", 5),
        {(f"{VITAL}/entries/maximum", SENDERS)},
    ),
    "no maximum": (
        setting(f"{VITAL}/entries/maximum", GONE),
        {(f"{VITAL}/entries/maximum", ADDITION)},
    ),
    "new minLength": (
        setting(f"{VITAL}/name/minLength", 1),
        {(f"{VITAL}/name/minLength", SENDERS)},
    ),
    "minLength that binds nothing": (setting(f"{VITAL}/name/minLength", 0), set()),
    "no minLength": (
        setting(f"{DATA}/asset_id/minLength", GONE),
        {(f"{DATA}/asset_id/minLength", ADDITION)},
    ),
    "new maxLength": (
        setting(f"{DATA}/page_url/maxLength", 2000),
        {(f"{DATA}/page_url/maxLength", SENDERS)},
    ),
    "greater maxLength": (
        setting(f"{DATA}/session_id/maxLength", 40),
        {(f"{DATA}/session_id/maxLength", ADDITION)},
    ),
    # Strings.
    "new pattern": (
        setting(f"{VITAL}/name/pattern", "^[A-Z]"),
        {(f"{VITAL}/name/pattern", SENDERS)},
    ),
    "other pattern": (
        setting(f"{DATA}/page_url/pattern", "^."),
        {(f"{DATA}/page_url/pattern", SENDERS)},
    ),
    "no pattern": (
        setting(f"{DATA}/page_url/pattern", GONE),
        {(f"{DATA}/page_url/pattern", ADDITION)},
    ),
    "enum value added": (
        setting(f"{VITAL}/rating/enum", [*ENUM, "bad"]),
        {(f"{VITAL}/rating/enum", RECEIVERS)},
    ),
    "enum value removed": (
        setting(f"{VITAL}/rating/enum", ENUM[:2]),
        {(f"{VITAL}/rating/enum", SENDERS)},
    ),
    "enum value replaced": (
        setting(f"{VITAL}/rating/enum", [*ENUM[:2], "bad"]),
        {(f"{VITAL}/rating/enum", SENDERS), (f"{VITAL}/rating/enum", RECEIVERS)},
    ),
    "enum in another order": (setting(f"{VITAL}/rating/enum", ENUM[::-1]), set()),
    "new enum": (
        setting(f"{VITAL}/name/enum", ["LCP", "CLS"]),
        {(f"{VITAL}/name/enum", SENDERS)},
    ),
    "no enum": (
        setting(f"{VITAL}/rating/enum", GONE),
        {(f"{VITAL}/rating/enum", RECEIVERS)},
    ),
    # Decoding.
    "clamp changed": (
        setting(f"{DATA}/scroll_depth/x-decode", {"maximum": 200}),
        {(f"{DATA}/scroll_depth/x-decode", DECODING)},
    ),
    "clamp removed": (
        setting(f"{DATA}/scroll_depth/x-decode", GONE),
        {(f"{DATA}/scroll_depth/x-decode", DECODING)},
    ),
    "no longer rounded": (
        setting("Timestamp/x-decode", GONE),
        {("Timestamp/x-decode", DECODING)},
    ),
    "default changed": (
        setting(f"{DEVICE}/os/default", "unknown"),
        {(f"{DEVICE}/os/default", DECODING)},
    ),
    "default written otherwise": (setting(f"{DATA}/time_on_page/default", 0.0), set()),
    "default removed, null allowed": (
        setting(
            f"{DEVICE}/os",
            {
                **NULLABLE,
                "description": DEFINITIONS["DeviceInfo"]["properties"]["os"]["description"],
            },
        ),
        {
            (f"{DEVICE}/os/default", DECODING),
            (f"{DEVICE}/os/type", RECEIVERS),
            (f"{DEVICE}/os/examples", WORDS),
        },
    ),
    "default of null removed": (
        setting(f"{FAULT}/stack/default", GONE),
        {(f"{FAULT}/stack/default", WORDS)},
    ),
    # Definitions.
    "a shared definition, once": (
        setting("Timestamp/minimum", 1),
        {("Timestamp/minimum", SENDERS)},
    ),
    "a reference written out": (
        setting(f"{CLICK}/properties/timestamp", DEFINITIONS["Timestamp"]),
        set(),
    ),
    "another type of the same meaning": (
        all_of(
            setting("Moment", {**DEFINITIONS["Timestamp"], "title": "Moment"}),
            setting(f"{CLICK}/properties/timestamp/$ref", "#/definitions/Moment"),
        ),
        {("Moment", ADDITION), (f"{CLICK}/properties/timestamp/title", RECEIVERS)},
    ),
    "definitions in another order": (
        lambda document: document.update(
            definitions=dict(reversed(document["definitions"].items()))
        ),
        set(),
    ),
    "new definition": (
        setting("Unused", {"description": "Added.", "type": "object", "properties": {}}),
        {("Unused", ADDITION)},
    ),
    "definition removed": (
        all_of(
            setting("EncryptedEnvelope", GONE),
            setting("EncryptedEnvelopePayload/properties/envelope", TEXT),
        ),
        {
            ("EncryptedEnvelope", RECEIVERS),
            ("EncryptedEnvelopePayload/properties/envelope", UNCLASSIFIED),
        },
    ),
    "definition renamed": (
        renamed("DeviceInfo", "Device"),
        {
            ("DeviceInfo", RECEIVERS),
            ("Device", ADDITION),
            ("Device/title", RECEIVERS),
            (f"{DATA}/device_info", RECEIVERS),
            (f"{DATA}/device_info/title", RECEIVERS),
        },
    ),
    "definition renamed and narrowed": (
        all_of(renamed("DeviceInfo", "Device"), setting("Device/properties/os/maxLength", 9)),
        {
            ("DeviceInfo", RECEIVERS),
            ("Device", ADDITION),
            ("Device/title", RECEIVERS),
            (f"{DATA}/device_info", RECEIVERS),
            (f"{DATA}/device_info/title", RECEIVERS),
            ("Device/properties/os/maxLength", SENDERS),
        },
    ),
    "union renamed": (
        renamed(UNION, "Happening"),
        {
            (UNION, RECEIVERS),
            ("Happening", ADDITION),
            ("Happening/title", RECEIVERS),
            (f"{DATA}/events/items/title", RECEIVERS),
            (f"{DATA}/events/items", RECEIVERS),
        },
    ),
    "definition of another kind": (
        all_of(
            setting("Timestamp", {"description": "x", "type": "array", "items": {"type": "number"}})
        ),
        {
            ("Timestamp", UNCLASSIFIED),
            *(
                (f"{name}/properties/timestamp", UNCLASSIFIED)
                for name, definition in DEFINITIONS.items()
                if "timestamp" in definition.get("properties", {})
            ),
        },
    ),
    "items narrowed": (
        all_of(
            setting(f"{DATA}/events/items", {"$ref": "#/definitions/ClickEvent"}),
        ),
        {(f"{DATA}/events/items", UNCLASSIFIED)},
    ),
    # Events.
    "event type added": (
        all_of(
            setting("AddedEvent", NEW_EVENT["AddedEvent"]),
            setting(
                f"{UNION}/oneOf",
                [*DEFINITIONS[UNION]["oneOf"], {"$ref": "#/definitions/AddedEvent"}],
            ),
        ),
        {("AddedEvent", ADDITION), (f"{UNION}/oneOf", RECEIVERS)},
    ),
    "event type removed": (
        setting(f"{UNION}/oneOf", DEFINITIONS[UNION]["oneOf"][:-1]),
        {(f"{UNION}/oneOf", SENDERS)},
    ),
    "event type's value changed": (
        setting("ClickEvent/properties/type/const", "added"),
        {
            (f"{UNION}/oneOf", SENDERS),
            (f"{UNION}/oneOf", RECEIVERS),
            ("ClickEvent/properties/type/const", SENDERS),
            ("ClickEvent/properties/type/const", RECEIVERS),
        },
    ),
    "event's class renamed": (
        renamed("ClickEvent", "AddedEvent"),
        {
            ("ClickEvent", RECEIVERS),
            ("AddedEvent", ADDITION),
            ("AddedEvent/title", RECEIVERS),
            (f"{UNION}/oneOf", RECEIVERS),
        },
    ),
    "events in another order": (
        setting(f"{UNION}/oneOf", DEFINITIONS[UNION]["oneOf"][::-1]),
        set(),
    ),
    # Forms.
    "form removed": (
        at_root("oneOf", SCHEMA["oneOf"][:2]),
        {("#/oneOf", SENDERS)},
    ),
    "form added": (
        at_root("oneOf", [*SCHEMA["oneOf"], {"$ref": "#/definitions/UnisightsData"}]),
        {("#/oneOf", UNCLASSIFIED)},
    ),
    "forms in another order": (at_root("oneOf", SCHEMA["oneOf"][::-1]), set()),
    "mark of a form flipped": (
        all_of(
            setting("EncryptedPayload/properties/encrypted/const", False),
        ),
        {
            ("EncryptedPayload/properties/encrypted/const", SENDERS),
            ("EncryptedPayload/properties/encrypted/const", RECEIVERS),
        },
    ),
    "mark of a form removed": (
        setting("EncryptedPayload/properties/envelope", GONE),
        {
            ("EncryptedPayload/properties/envelope", UNCLASSIFIED),
            ("EncryptedPayload/properties/envelope", RECEIVERS),
        },
    ),
    "mark of a form not required": (
        all_of(
            setting("EncryptedEnvelopePayload/required", ["envelope"]),
            setting("EncryptedEnvelopePayload/properties/encrypted/default", True),
        ),
        {
            ("EncryptedEnvelopePayload/properties/encrypted", UNCLASSIFIED),
            ("EncryptedEnvelopePayload/required", RECEIVERS),
        },
    ),
    "mark of a form widened": (
        setting("EncryptedPayload/properties/envelope/type", ["string", "null"]),
        {("EncryptedPayload/properties/envelope/type", RECEIVERS)},
    ),
    "envelope's bound loosened": (
        setting("EncryptedEnvelope/properties/site_id/minLength", GONE),
        {("EncryptedEnvelope/properties/site_id/minLength", ADDITION)},
    ),
    # Words.
    "description": (
        setting(f"{CLICK}/description", "Where."),
        {(f"{CLICK}/description", WORDS)},
    ),
    "description beside a reference": (
        setting(f"{DATA}/device_info/description", "What."),
        {(f"{DATA}/device_info/description", WORDS)},
    ),
    "examples": (
        setting(f"{CLICK}/properties/x/examples", GONE),
        {(f"{CLICK}/properties/x/examples", WORDS)},
    ),
    "x-expects": (
        setting(f"{DATA}/page_url/x-expects", "a URL"),
        {(f"{DATA}/page_url/x-expects", WORDS)},
    ),
    "a property's title": (
        setting(f"{CLICK}/properties/x/title", "Left"),
        {(f"{CLICK}/properties/x/title", ADDITION)},
    ),
    "a definition's title": (
        setting(f"{CLICK}/title", GONE),
        {(f"{CLICK}/title", RECEIVERS)},
    ),
    "the root's title": (at_root("title", "Beacon"), {("#/title", RECEIVERS)}),
    "the root's description": (at_root("description", "A beacon."), {("#/description", WORDS)}),
    "$id": (at_root("$id", "urn:unisights:schema:beacon"), {("#/$id", RECEIVERS)}),
    "x-version": (at_root("x-version", "2.0.0"), set()),
}
"""Changes of the schema, and what the comparison says of each: where, and whom it breaks."""


@pytest.mark.parametrize("name", TABLE)
def test_changes_are_classified(name: str, tmp_path: Path) -> None:
    """Each change is reported at its place, with all of its effects and no others."""
    edit, expected = TABLE[name]
    assert found(SCHEMA, gated(changed(edit), tmp_path)) == expected


def test_the_way_back_is_classified_too(tmp_path: Path) -> None:
    """What kept no unnamed properties and begins to keep them takes only strings from then on."""
    old = gated(changed(setting("UtmParams/additionalProperties", GONE)), tmp_path)
    assert found(old, SCHEMA) == {("UtmParams/additionalProperties", SENDERS)}


def test_the_same_schema_has_no_changes() -> None:
    """A schema and a copy of it do not differ."""
    assert compare(SCHEMA, copy.deepcopy(SCHEMA)) == []


def subschemas(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every subschema of a definition, and its path."""
    yield path, node
    for key, member in node.get("properties", {}).items():
        yield from subschemas(member, f"{path}/properties/{key}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from subschemas(node[key], f"{path}/{key}")


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_no_keyword_goes_unnoticed(definition: str, tmp_path: Path) -> None:
    """Wherever a keyword is taken away, the comparison says so, there or below."""
    missed, seen = [], 0
    for path, subschema in subschemas(DEFINITIONS[definition], definition):
        for keyword in subschema:
            try:
                new = gated(changed(setting(f"{path}/{keyword}", GONE)), tmp_path)
            except (SchemaError, KeyError):
                continue
            seen += 1
            places = [change.place for change in compare(SCHEMA, new)]
            if not any(place.startswith(f"#/definitions/{path}") for place in places):
                missed.append(f"{path}/{keyword}")
    assert seen
    assert missed == []


def test_keywords_that_no_rule_knows_are_unclassified() -> None:
    """A keyword that is let through the gate one day is not taken for safe."""
    new = changed(setting(f"{DATA}/events/maxItems", 100))
    (change,) = compare(SCHEMA, new)
    assert change.place == f"#/definitions/{DATA}/events/maxItems"
    assert change.effect is Effect.UNCLASSIFIED


def test_changes_say_what_was_and_what_is() -> None:
    """A change is told in words, with the values."""
    new = changed(setting(f"{DATA}/session_id/maxLength", 32))
    what = "32 instead of 36"
    place = f"#/definitions/{DATA}/session_id/maxLength"
    assert compare(SCHEMA, new) == [Change(place, Effect.BREAKS_SENDERS, what)]


# Any edit, and what it does to payloads.

KEYWORDS: dict[str, list[Any]] = {
    "type": [
        *("string", "number", "integer", "boolean", "null"),
        *(["string", "null"], ["integer", "null"], ["number", "null"]),
    ],
    "minimum": [-1, 0, 0.5, 100],
    "maximum": [0, 100, 2**53 - 1],
    "minLength": [0, 1, 36],
    "maxLength": [0, 36, 100],
    "pattern": ["^.", "^[a-z]", ""],
    "enum": [["good"], ["good", "poor", "bad"], ["needs-improvement", "poor", "good"]],
    "const": ["click", "added", True, False],
    "default": ["", 0, None, {}],
    "x-decode": [{"integer": True}, {"maximum": 100}, {}],
    "required": [[], ["type"], ["x", "y"], ["data"], ["encrypted", "envelope"], ["os"]],
    "additionalProperties": [True, {"type": "string"}],
    "description": ["Other words."],
    "$ref": ["#/definitions/Timestamp", "#/definitions/DeviceInfo", "#/definitions/UtmParams"],
    "items": [{"type": "string"}, {"$ref": "#/definitions/ClickEvent"}],
    # The name is longer than any that the strategies make up for unknown properties.
    "properties/added": [TEXT, {**TEXT, "default": ""}, {**TEXT, "type": "number", "minimum": 5}],
}

PLACES = [
    name
    for definition in DEFINITIONS
    for name in [
        definition,
        *(
            f"{definition}/properties/{key}"
            for key in DEFINITIONS[definition].get("properties", ())
        ),
    ]
]


LIKELY = {
    "string": ["minLength", "maxLength", "pattern", "enum", "type"],
    "number": ["minimum", "maximum", "x-decode", "type"],
    "integer": ["minimum", "maximum", "x-decode", "type"],
    "object": ["required", "properties/added", "additionalProperties"],
}
"""The keywords that the gate may take, by type."""


def at(path: str) -> dict[str, Any]:
    """The subschema at a path below the definitions."""
    subschema = DEFINITIONS
    for key in path.split("/"):
        subschema = subschema[key]
    return subschema


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """One or two keywords set or removed, at any places."""
    drawn = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        place = draw(st.sampled_from(PLACES))
        subschema = at(place)
        declared = subschema.get("type", "")
        likely = LIKELY.get(declared if isinstance(declared, str) else declared[0], [*KEYWORDS])
        match draw(st.sampled_from(["set", "set", "set", "set any", "remove"])):
            case "remove":
                drawn.append(setting(f"{place}/{draw(st.sampled_from([*subschema]))}", GONE))
            case how:
                keyword = draw(st.sampled_from(likely if how == "set" else [*KEYWORDS]))
                value = draw(st.sampled_from(KEYWORDS[keyword]))
                drawn.append(setting(f"{place}/{keyword}", value))
    return all_of(*drawn)


def referee(document: dict[str, Any], definition: str) -> jsonschema.Draft7Validator:
    """The referee for a definition of a document; for the root if none is named."""
    schema = {"$ref": f"#/definitions/{definition}"} if definition else document
    return jsonschema.Draft7Validator(document).evolve(schema=schema)


FORMS = ["UnisightsPayload", "EncryptedPayload", "EncryptedEnvelopePayload"]


def tries(number: int) -> settings:
    """How often a property is tried; always the same tries in CI."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[*HealthCheck],
    )


def edited(data: st.DataObject, folder: Path) -> dict[str, Any]:
    """The schema with any edit that the gate takes."""
    try:
        return gated(changed(data.draw(edits())), folder)
    except (SchemaError, KeyError):
        raise UnsatisfiedAssumption from None


@given(data=st.data())
@tries(100)
def test_what_breaks_no_sender_refuses_nothing(data: st.DataObject, tmp_path: Path) -> None:
    """If no change is said to break senders, whatever was valid still is, by the referee."""
    new = edited(data, tmp_path)
    changes = compare(SCHEMA, new)
    assume(not {change.effect for change in changes} & {SENDERS, UNCLASSIFIED})
    touched = {change.place.split("/")[2] for change in changes if change.place.count("/") > 1}
    for definition in sorted(touched & DEFINITIONS.keys() & new["definitions"].keys()):
        for _ in range(10):
            obj = data.draw(testing.objects(definition))
            assert referee(new, definition).is_valid(obj), (changes, obj)
    for form in FORMS:
        payload = data.draw(testing.objects(form))
        if referee(SCHEMA, "").is_valid(payload):
            assert referee(new, "").is_valid(payload), (changes, payload)


def scalars_of(field: Field) -> set[str]:
    """What an attribute can be, where it is no object."""
    nothing = {"None"} if field.value.nullable else set()
    return {*field.value.wire.get("enum", [field.value.kind])} | nothing


def classes_of(field: Field) -> list[str]:
    """Which of the generated classes an attribute is or holds."""
    value, item = field.value, field.value.item
    return [value.name, item.kind, item.name] if item else [value.name]


@given(data=st.data())
@tries(100)
def test_what_breaks_no_receiver_leaves_the_types(data: st.DataObject, tmp_path: Path) -> None:
    """If no change is said to break receivers, every attribute is there and no wider than it was.

    If decoding does not change either, it also has the same default and is clamped alike.
    """
    new = edited(data, tmp_path)
    effects = {change.effect for change in compare(SCHEMA, new)}
    assume(not effects & {RECEIVERS, UNCLASSIFIED})
    was, now = (build_model(Schema("", document)) for document in (SCHEMA, new))
    assert was.objects.keys() <= now.objects.keys()
    for name, union in was.unions.items():
        assert now.unions[name].members.items() <= union.members.items()
    for name, obj in was.objects.items():
        assert now.objects[name].is_open or not obj.is_open
        fields = {field.name: field for field in now.objects[name].fields}
        assert not obj.is_open or len(fields) == len(obj.fields)
        for field in obj.fields:
            now_field = fields[field.name]
            assert classes_of(now_field) == classes_of(field)
            assert now_field.required or not field.required
            if DECODING in effects:
                continue
            # A string that becomes one of some literals is still a string.
            any_string = now_field.value.wire.get("enum", ()) if field.value.kind == "str" else ()
            literals = field.value.wire.get("enum", any_string)
            assert scalars_of(now_field) <= scalars_of(field) | {*literals}
            assert now_field.value.clamp == field.value.clamp
            if now_field.required == field.required:
                assert repr(now_field.default) == repr(field.default)
