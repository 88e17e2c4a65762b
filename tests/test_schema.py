"""The canonical schema: what it promises its readers, and what it refuses."""

import copy
import hashlib
import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from tests.support import ROOT, SESSION_ID, make_data, make_payload, seal
from unisights import SCHEMA_DIGEST, SCHEMA_VERSION
from unisights.schema import inlined_schema, schema_text

SCHEMA_BYTES = (ROOT / "schema" / "unisights.schema.json").read_bytes()
SCHEMA: dict[str, Any] = json.loads(SCHEMA_BYTES)

REFEREE = jsonschema.Draft7Validator(SCHEMA)

FORMS = ["UnisightsPayload", "EncryptedPayload", "EncryptedEnvelopePayload"]

BIG_EXAMPLE = {
    "encrypted": False,
    "data": {
        "asset_id": "prop_123",
        "session_id": SESSION_ID,
        "page_url": "https://example.com/products",
        "entry_page": "https://example.com",
        "exit_page": None,
        "utm_params": {
            "utm_source": "google",
            "utm_medium": "cpc",
            "utm_campaign": "summer_sale",
        },
        "device_info": {"browser": "Chrome", "os": "Windows", "device_type": "Desktop"},
        "scroll_depth": 75,
        "time_on_page": 120,
        "events": [
            {
                "type": "page_view",
                "data": {
                    "location": "https://example.com/products",
                    "title": "Products",
                    "timestamp": 1234567890,
                },
            },
            {"type": "click", "data": {"x": 100, "y": 200, "timestamp": 1234567891}},
            {
                "type": "web_vital",
                "data": {
                    "name": "LCP",
                    "value": 2.5,
                    "rating": "good",
                    "delta": 0.1,
                    "id": "abc123",
                    "entries": 1,
                    "navigation_type": "navigation",
                    "timestamp": 1234567892,
                },
            },
        ],
    },
}

CURL_BODY = {
    "encrypted": False,
    "data": {
        "asset_id": "prop_123",
        "session_id": SESSION_ID,
        "page_url": "https://example.com",
        "entry_page": "https://example.com",
        "utm_params": {},
        "device_info": {"browser": "Chrome", "os": "Linux", "device_type": "Desktop"},
        "scroll_depth": 50,
        "time_on_page": 60,
        "events": [],
    },
}

UNIT_TEST_BODY = {
    "encrypted": False,
    "data": {
        "asset_id": "prop_123",
        "session_id": "0b8f6ad2-5b1e-4d3c-9a57-3f1d4a1c2e77",
        "page_url": "https://example.com",
        "entry_page": "https://example.com",
        "events": [],
    },
}

PUBLISHED = [
    pytest.param(BIG_EXAMPLE, id="big-example"),
    pytest.param(CURL_BODY, id="curl"),
    pytest.param(UNIT_TEST_BODY, id="unit-test"),
]
"""The payloads that the product's page shows."""


def is_valid(definition: str, obj: Any) -> bool:
    """Whether the referee takes an object as one of the definitions."""
    return REFEREE.evolve(schema={"$ref": f"#/definitions/{definition}"}).is_valid(obj)


def test_the_schema_is_draft_07() -> None:
    """The schema declares draft-07 and is valid by its meta-schema."""
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("payload", PUBLISHED)
def test_published_payloads_are_valid(payload: dict[str, Any]) -> None:
    """What the product's page shows as a payload is valid, in the plain form."""
    REFEREE.validate(payload)
    assert is_valid("UnisightsPayload", payload)


@pytest.mark.parametrize(
    ("payload", "form"),
    [
        pytest.param(make_payload(), "UnisightsPayload", id="plain"),
        pytest.param({"data": make_data()}, "UnisightsPayload", id="unmarked"),
        pytest.param(seal(b"{}"), "EncryptedPayload", id="root"),
        pytest.param({**seal(b"{}"), "envelope": None}, "EncryptedPayload", id="root-null"),
        pytest.param(seal(b"{}", envelope=True), "EncryptedEnvelopePayload", id="envelope"),
        pytest.param(
            {**seal(b"{}"), **seal(b"{}", envelope=True)}, "EncryptedEnvelopePayload", id="both"
        ),
    ],
)
def test_each_form_has_its_own_definition(payload: dict[str, Any], form: str) -> None:
    """A plain payload and either encrypted form are valid by exactly one definition each."""
    assert [name for name in FORMS if is_valid(name, payload)] == [form]
    REFEREE.validate(payload)


@pytest.mark.parametrize("envelope", [False, True])
@pytest.mark.parametrize("key", ["site_id", "bucket", "tag"])
def test_encrypted_forms_require_what_decryption_needs(key: str, *, envelope: bool) -> None:
    """An encrypted payload without a value that the key or the tag needs is not valid."""
    payload = seal(b"{}", envelope=envelope)
    holder = payload["envelope"] if envelope else payload
    del holder[key]
    assert not REFEREE.is_valid(payload)


def test_unknown_properties_are_allowed_everywhere() -> None:
    """An older receiver survives a newer client: no object refuses what it does not know."""
    payload = copy.deepcopy(BIG_EXAMPLE)

    def extend(node: Any) -> None:
        for child in node.values() if isinstance(node, dict) else node:
            if isinstance(child, dict | list):
                extend(child)
        if isinstance(node, dict):
            node["from_a_newer_client"] = "x"

    extend(payload)
    REFEREE.validate(payload)


def test_the_package_holds_the_schema_byte_for_byte() -> None:
    """The installed package carries the canonical schema unchanged."""
    packaged = files("unisights") / "_schema" / "generated" / "unisights.schema.json"
    assert packaged.read_bytes() == SCHEMA_BYTES
    assert schema_text().encode() == SCHEMA_BYTES


def test_the_digest_and_version_are_the_schemas() -> None:
    """SCHEMA_DIGEST is the SHA-256 of the schema file, SCHEMA_VERSION its x-version."""
    assert hashlib.sha256(SCHEMA_BYTES).hexdigest() == SCHEMA_DIGEST
    assert SCHEMA["x-version"] == SCHEMA_VERSION


def test_the_inlined_schema_stands_alone() -> None:
    """The schema for OpenAPI documents has neither references nor keywords of our own."""
    text = json.dumps(inlined_schema())
    for keyword in ("$ref", "$schema", "$id", "definitions", "x-decode", "x-expects", "x-version"):
        assert f'"{keyword}":' not in text
    jsonschema.Draft7Validator.check_schema(inlined_schema())


@pytest.mark.parametrize(
    "payload",
    [
        *PUBLISHED,
        pytest.param(seal(b"{}"), id="root"),
        pytest.param(seal(b"{}", envelope=True), id="envelope"),
        pytest.param(make_payload(page_url="not a url"), id="bad-url"),
        pytest.param(make_payload(events=[{"type": "click", "data": {}}]), id="bad-click"),
        pytest.param({"encrypted": True, "data": make_data()}, id="mismarked"),
        pytest.param([], id="array"),
    ],
)
def test_the_inlined_schema_validates_alike(payload: Any) -> None:
    """The schema without references takes and refuses what the canonical one does."""
    inlined = jsonschema.Draft7Validator(inlined_schema())
    assert inlined.is_valid(payload) == REFEREE.is_valid(payload)
