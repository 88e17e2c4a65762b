"""What the real browser client sent: all of it is taken, and means what it says."""

import base64
import json
from typing import Any

import jsonschema
import pytest

from tests.support import CAPTURES, capture
from unisights import decode_unisights_payload, types, validate_unisights_payload
from unisights._decoding.generated import lenient
from unisights._decoding.generated.decoder import decode_UnisightsPayload
from unisights.encryption import decrypt
from unisights.schema import schema_text

REFEREE = jsonschema.Draft7Validator(json.loads(schema_text()))

ENCRYPTED = [name for name in CAPTURES if json.loads(capture(name))["encrypted"]]
PLAIN = [name for name in CAPTURES if name not in ENCRYPTED]


def plaintext_of(name: str) -> bytes:
    """The data object's JSON inside an encrypted capture."""
    body = json.loads(capture(name))
    return decrypt(
        base64.b64decode(body["data"]),
        base64.b64decode(body["tag"]),
        site_id=body["site_id"],
        bucket=body["bucket"],
        ua_hash=body["ua_hash"],
    )


def assert_holds(typed: Any, sent: Any, place: str = "data") -> None:
    """Assert that a typed value holds what was sent, number types and clamping aside."""
    if isinstance(sent, dict):
        for key, value in sent.items():
            holder = typed.extra if key not in dir(typed) else None
            inner = getattr(typed, key) if holder is None else holder[key]
            assert_holds(inner, value, f"{place}.{key}")
    elif isinstance(sent, list):
        assert len(typed) == len(sent), place
        for index, (inner, value) in enumerate(zip(typed, sent, strict=True)):
            assert_holds(inner, value, f"{place}[{index}]")
    elif place.endswith(".scroll_depth"):
        assert typed == min(sent, 100)
    else:
        assert typed == sent, place
        if place.endswith(".timestamp"):
            assert type(typed) is int
        elif not isinstance(sent, int | float):
            assert type(typed) is type(sent)


def test_there_are_captures_of_both_kinds() -> None:
    """The captures hold plain and encrypted bodies, and every type of event the client sends."""
    assert len(PLAIN) >= 39
    assert len(ENCRYPTED) >= 2
    sent = {
        event["type"] for name in PLAIN for event in json.loads(capture(name))["data"]["events"]
    }
    assert sent == {"page_view", "click", "web_vital", "custom"}


@pytest.mark.parametrize("name", CAPTURES)
def test_every_capture_is_valid(name: str) -> None:
    """The schema takes every body that the browser client sent."""
    REFEREE.validate(json.loads(capture(name)))


@pytest.mark.parametrize("name", PLAIN)
def test_the_typed_payload_holds_what_was_sent(name: str) -> None:
    """Every value of a plain body is in the typed payload; only the scroll depth is clamped."""
    payload = decode_unisights_payload(capture(name))
    assert type(payload) is types.UnisightsPayload
    assert payload.encrypted is False
    assert payload.raw == capture(name)
    assert_holds(payload.data, json.loads(capture(name))["data"])


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encrypted_captures_hold_what_was_sent(name: str) -> None:
    """Every value of an encrypted body's plaintext is in the typed payload."""
    payload = decode_unisights_payload(capture(name))
    assert payload.encrypted is True
    assert payload.raw == capture(name)
    assert_holds(payload.data, json.loads(plaintext_of(name)))


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encrypted_captures_equal_the_same_sent_plain(name: str) -> None:
    """A session decodes to an equal payload whether it came encrypted or plain."""
    encrypted = decode_unisights_payload(capture(name))
    plain = decode_unisights_payload(
        b'{"data":' + plaintext_of(name) + b',"encrypted":false}',
    )
    assert encrypted == plain
    assert (encrypted.encrypted, plain.encrypted) == (True, False)
    assert encrypted.to_dict() == plain.to_dict()


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encrypted_timestamps_are_whole(name: str) -> None:
    """Timestamps, which the encrypted form writes as floats, are ints all the same."""
    assert b'"timestamp":1795' in plaintext_of(name)
    events = decode_unisights_payload(capture(name)).data.events
    assert events
    assert {type(event.data.timestamp) for event in events} == {int}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_captures_take_the_fast_path(name: str) -> None:
    """What the browser sends plain is decoded by the fast path, to the same result."""
    assert decode_UnisightsPayload(capture(name)) == decode_unisights_payload(capture(name))


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encrypted_captures_take_the_fast_path(name: str) -> None:
    """What the browser sends encrypted is decoded by the fast path once it is decrypted."""
    data = lenient.decode_UnisightsData(plaintext_of(name))
    assert data == decode_unisights_payload(capture(name)).data


@pytest.mark.parametrize("name", CAPTURES)
def test_objects_are_taken_like_bytes(name: str) -> None:
    """A capture that was parsed by the caller gives the payload that its bytes give."""
    parsed = json.loads(capture(name))
    assert validate_unisights_payload(parsed) == decode_unisights_payload(capture(name))


def test_a_page_scrolled_to_its_end_is_at_100_per_cent() -> None:
    """The captures hold scroll depths beyond 100, and all of them decode to 100."""
    beyond = [n for n in PLAIN if json.loads(capture(n))["data"]["scroll_depth"] > 100]
    assert len(beyond) >= 3
    assert {decode_unisights_payload(capture(n)).data.scroll_depth for n in beyond} == {100.0}
