"""Encryption: the client's scheme to the letter, and no way around its checks."""

import base64
import gc
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import CAPTURES, SITE_ID, capture, click, make_data, make_payload, seal
from unisights import (
    DecryptionError,
    ValidationError,
    decode_unisights_payload,
    validate_unisights_payload,
)
from unisights.encryption import decrypt, derive_key, encrypt

PROPERTY = settings(max_examples=100, deadline=None, derandomize="CI" in os.environ)

BLOCK = 32
BORDERS = [0, 1, 31, 32, 33, 63, 64, 65, 1000]
CHUNK = 65536

KEYS = st.fixed_dictionaries(
    {"site_id": st.text(min_size=1), "bucket": st.integers(0, 2**53 - 1)},
    optional={
        "ua_hash": st.text(),
        "server_secret": st.none() | st.text(min_size=1) | st.binary(min_size=1),
    },
)


def naive_encrypt(
    plaintext: bytes,
    *,
    site_id: str,
    bucket: int,
    ua_hash: str = "",
    server_secret: str | bytes | None = None,
) -> tuple[bytes, bytes]:
    """The scheme as it is written down, byte by byte."""
    bucket_bytes = bytes((bucket >> shift) & 0xFF for shift in range(56, -1, -8))
    key = hashlib.sha256(site_id.encode() + b":" + bucket_bytes + b":" + ua_hash.encode()).digest()
    if server_secret is not None:
        secret = server_secret.encode() if isinstance(server_secret, str) else server_secret
        key = hmac.new(secret, key, hashlib.sha256).digest()
    ciphertext = bytearray()
    for index, byte in enumerate(plaintext):
        counter = index // BLOCK
        counter_bytes = bytes((counter >> shift) & 0xFF for shift in (24, 16, 8, 0))
        keystream = hashlib.sha256(key + counter_bytes).digest()
        ciphertext.append(byte ^ keystream[index % BLOCK])
    return bytes(ciphertext), hmac.new(key, bytes(ciphertext), hashlib.sha256).digest()


def problems_of(call: Callable[[], Any]) -> list[tuple[str, str]]:
    """The pointer and rule of every problem that decryption raises."""
    with pytest.raises(DecryptionError) as caught:
        call()
    assert isinstance(caught.value, ValidationError)
    return [(p.pointer, p.rule) for p in caught.value.problems]


def sealed_data(*, envelope: bool, **changes: Any) -> dict[str, Any]:
    """An encrypted payload with a valid data object, with changes."""
    return seal(json.dumps(make_data(**changes)).encode(), envelope=envelope)


def flip(text: str, bit: int = 0) -> str:
    """Base64 with one bit of the bytes behind it flipped."""
    decoded = bytearray(base64.b64decode(text))
    decoded[bit // 8] ^= 1 << bit % 8
    return base64.b64encode(decoded).decode()


FORMS = pytest.mark.parametrize("envelope", [False, True], ids=["root", "envelope"])

PLACES = {
    False: {"ciphertext": "/data", "tag": "/tag", "site_id": "/site_id"},
    True: {
        "ciphertext": "/envelope/ciphertext",
        "tag": "/envelope/tag",
        "site_id": "/envelope/site_id",
    },
}


def changed(payload: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A payload of either form with one of the cipher's values replaced."""
    if "envelope" in payload:
        return {**payload, "envelope": {**payload["envelope"], name: value}}
    return {**payload, "data" if name == "ciphertext" else name: value}


def value_of(payload: dict[str, Any], name: str) -> Any:
    """One of the cipher's values, of a payload of either form."""
    if "envelope" in payload:
        return payload["envelope"][name]
    return payload["data" if name == "ciphertext" else name]


def test_the_scheme_matches_a_known_vector() -> None:
    """Key, ciphertext and tag are those that were computed once by other means."""
    plaintext = b'{"asset_id":"site-1","note":"longer than one block"}'
    ciphertext, tag = encrypt(plaintext, site_id="site-1", bucket=59845534)
    key = derive_key("site-1", 59845534)
    assert key.hex() == "ab5bd313850dcf7e89b2c017ac3cb3a34e068d4e4073ec01e0be70f35d3caabd"
    assert ciphertext.hex() == (
        "a1abef409171e8f62085f3dca4027350d6d4c14131d3ee3262ac2b0860313b81"
        "e81faa89ba4276441223399a853c2999b1e40b57"
    )
    assert tag.hex() == "f3fb6f3ca7eb7e58e60667f9900d4267637e9b4fd7084c01f0e015e9694d05d0"


@PROPERTY
@given(st.binary(max_size=200), KEYS)
@example(b"", {"site_id": "s", "bucket": 0})
@example(b"\x00" * 97, {"site_id": "größe:日本", "bucket": 2**53 - 1, "ua_hash": ":"})
@example(b"x" * 65, {"site_id": "s", "bucket": 1, "server_secret": "geheim-ß"})
@example(b"x" * 65, {"site_id": "s", "bucket": 1, "server_secret": b"\xff" * 100})
def test_encryption_follows_the_formulas(plaintext: bytes, key: dict[str, Any]) -> None:
    """For any plaintext and key, ciphertext and tag are what the formulas say."""
    assert encrypt(plaintext, **key) == naive_encrypt(plaintext, **key)


@PROPERTY
@given(st.binary(max_size=200), KEYS)
def test_decryption_undoes_encryption(plaintext: bytes, key: dict[str, Any]) -> None:
    """What was encrypted decrypts to itself, and is as long as it was."""
    ciphertext, tag = encrypt(plaintext, **key)
    assert len(ciphertext) == len(plaintext)
    assert len(tag) == 32
    assert decrypt(ciphertext, tag, **key) == plaintext


@pytest.mark.parametrize("size", BORDERS)
def test_block_borders_follow_the_formulas(size: int) -> None:
    """Plaintexts that end at, before and after a block's border are encrypted right."""
    plaintext = bytes(index % 251 for index in range(size))
    key = {"site_id": SITE_ID, "bucket": 7}
    assert encrypt(plaintext, **key) == naive_encrypt(plaintext, **key)
    assert decrypt(*naive_encrypt(plaintext, **key), **key) == plaintext


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 33])
def test_long_plaintexts_follow_the_formulas(size: int) -> None:
    """Counters go on rising through a long plaintext, however it is worked on."""
    plaintext = bytes(size)
    ciphertext, _ = encrypt(plaintext, site_id=SITE_ID, bucket=7)
    key = derive_key(SITE_ID, 7)
    blocks = -(-size // BLOCK)
    keystream = b"".join(
        hashlib.sha256(key + counter.to_bytes(4, "big")).digest() for counter in range(blocks)
    )
    assert ciphertext == keystream[:size]


@PROPERTY
@given(st.binary(min_size=1, max_size=100), KEYS, st.data())
def test_any_flipped_bit_is_noticed(plaintext: bytes, key: dict[str, Any], data: Any) -> None:
    """A ciphertext or a tag with one bit changed does not decrypt."""
    ciphertext, tag = encrypt(plaintext, **key)
    message = bytearray(ciphertext + tag)
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    message[bit // 8] ^= 1 << bit % 8
    tampered = bytes(message[: len(ciphertext)]), bytes(message[len(ciphertext) :])
    assert problems_of(lambda: decrypt(*tampered, **key)) == [("/tag", "tag")]


@pytest.mark.parametrize(
    "changes",
    [
        {"site_id": "site-2"},
        {"bucket": 8},
        {"ua_hash": "x"},
        {"server_secret": "secret"},
    ],
)
def test_the_tag_binds_every_input(changes: dict[str, Any]) -> None:
    """Other values than those encrypted under do not decrypt."""
    key = {"site_id": SITE_ID, "bucket": 7}
    ciphertext, tag = encrypt(b"plaintext", **key)
    assert problems_of(lambda: decrypt(ciphertext, tag, **{**key, **changes})) == [("/tag", "tag")]


@pytest.mark.parametrize("tag_of", [lambda t: b"", lambda t: t[:31], lambda t: t + b"\0"])
def test_a_tag_of_another_length_is_refused(tag_of: Callable[[bytes], bytes]) -> None:
    """A tag that is too short or too long is refused, even if it begins right."""
    ciphertext, tag = encrypt(b"plaintext", site_id=SITE_ID, bucket=7)
    found = problems_of(lambda: decrypt(ciphertext, tag_of(tag), site_id=SITE_ID, bucket=7))
    assert found == [("/tag", "tag")]


@pytest.mark.parametrize("name", [n for n in CAPTURES if json.loads(capture(n))["encrypted"]])
def test_the_browsers_own_encryption_follows_the_formulas(name: str) -> None:
    """What the browser client encrypted is what the formulas make of its plaintext."""
    body = json.loads(capture(name))
    key = {k: body[k] for k in ("site_id", "bucket", "ua_hash")}
    ciphertext = base64.b64decode(body["data"])
    plaintext, _ = naive_encrypt(ciphertext, **key)
    assert json.loads(plaintext)["asset_id"] == body["site_id"]
    assert naive_encrypt(plaintext, **key) == (ciphertext, base64.b64decode(body["tag"]))


@FORMS
def test_both_forms_are_opened(*, envelope: bool) -> None:
    """Either encrypted form decodes to what the same data gives when sent plain."""
    changes: dict[str, Any] = {"utm_params": {"utm_id": "ß"}, "events": [click(timestamp=3.0)]}
    payload = sealed_data(envelope=envelope, **changes)
    plain = validate_unisights_payload(make_payload(**changes))
    for opened in (
        validate_unisights_payload(payload),
        decode_unisights_payload(json.dumps(payload).encode()),
    ):
        assert opened == plain
        assert opened.encrypted is True


@FORMS
def test_an_absent_ua_hash_is_empty(*, envelope: bool) -> None:
    """The user agent's hash may be left out, and is empty then."""
    payload = sealed_data(envelope=envelope)
    del (payload["envelope"] if envelope else payload)["ua_hash"]
    assert validate_unisights_payload(payload).data.asset_id == SITE_ID


@FORMS
@pytest.mark.parametrize("secret", ["secret", b"\xff\x00", "größe"])
def test_a_server_secret_is_honoured(secret: str | bytes, *, envelope: bool) -> None:
    """With a server secret, only what was encrypted with it is opened."""
    plaintext = json.dumps(make_data()).encode()
    payload = seal(plaintext, envelope=envelope, server_secret=secret)
    opened = validate_unisights_payload(payload, server_secret=secret)
    assert opened.data.asset_id == SITE_ID
    body = json.dumps(payload).encode()
    assert decode_unisights_payload(body, server_secret=secret) == opened
    tag = [(PLACES[envelope]["tag"], "tag")]
    assert problems_of(lambda: validate_unisights_payload(payload)) == tag
    assert problems_of(lambda: validate_unisights_payload(payload, server_secret="x")) == tag
    unsigned = seal(plaintext, envelope=envelope)
    assert problems_of(lambda: validate_unisights_payload(unsigned, server_secret=secret)) == tag


@FORMS
@pytest.mark.parametrize("name", ["ciphertext", "tag"])
def test_tampered_values_are_refused(name: str, *, envelope: bool) -> None:
    """A changed ciphertext or tag is refused, at the tag's place."""
    payload = sealed_data(envelope=envelope)
    tampered = changed(payload, name, flip(value_of(payload, name)))
    found = problems_of(lambda: validate_unisights_payload(tampered))
    assert found == [(PLACES[envelope]["tag"], "tag")]


@FORMS
@pytest.mark.parametrize(("name", "value"), [("site_id", "other"), ("bucket", 1), ("ua_hash", "x")])
def test_other_key_values_are_refused(name: str, value: Any, *, envelope: bool) -> None:
    """A changed site_id, bucket or ua_hash makes another key, which the tag does not fit."""
    tampered = changed(sealed_data(envelope=envelope), name, value)
    found = problems_of(lambda: validate_unisights_payload(tampered))
    assert found == [(PLACES[envelope]["tag"], "tag")]


@FORMS
@pytest.mark.parametrize("name", ["ciphertext", "tag"])
@pytest.mark.parametrize(
    "text", ["*", "A", "AAA", "AA\n==", "AA==AA", "AAAA====", "_-8=", "ß", "\ud83d"]
)
def test_what_is_not_base64_is_refused_by_name(name: str, text: str, *, envelope: bool) -> None:
    """Text that is not standard, padded base64 is named as such, at its own place."""
    payload = changed(sealed_data(envelope=envelope), name, text)
    with pytest.raises(DecryptionError) as caught:
        validate_unisights_payload(payload)
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.rule) == (PLACES[envelope][name], "base64")
    place = "data" if (name, envelope) == ("ciphertext", False) else name
    assert problem.message == f"{place} must be standard, padded base64"


@FORMS
def test_refusals_to_decrypt_are_told_why(*, envelope: bool) -> None:
    """The message says what does not fit, or why a plaintext is not JSON."""
    reasons = {
        json.dumps(make_data(asset_id="x")).encode(): (
            "site_id must equal the encrypted data.asset_id"
        ),
        b"": "once decrypted, it is empty",
        b"[NaN]": "once decrypted, it is not JSON: NaN is not a JSON value",
    }
    for plaintext, reason in reasons.items():
        with pytest.raises(DecryptionError) as caught:
            validate_unisights_payload(seal(plaintext, envelope=envelope))
        assert str(caught.value) == reason
    with pytest.raises(DecryptionError) as caught:
        validate_unisights_payload(changed(sealed_data(envelope=envelope), "bucket", 1))
    reason = "the tag does not match the ciphertext, site_id, bucket and ua_hash"
    assert str(caught.value) == reason


@FORMS
def test_the_site_must_be_the_datas(*, envelope: bool) -> None:
    """A well-encrypted payload whose site_id is not its asset_id is refused."""
    payload = sealed_data(envelope=envelope, asset_id="another-site")
    found = problems_of(lambda: validate_unisights_payload(payload))
    assert found == [(PLACES[envelope]["site_id"], "site_id")]


@FORMS
@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b" ",
        b"hello",
        b"{",
        b'{"asset_id": NaN}',
        b'{"asset_id": 1e400}',
        b"\xff\xfe",
        json.dumps(make_data(note="HERE")).encode().replace(b"HERE", b"\xff"),
        b"[" * 100_000,
    ],
    ids=["empty", "blank", "text", "truncated", "NaN", "huge", "binary", "latin-1", "deep"],
)
def test_plaintext_that_is_not_json_is_refused(plaintext: bytes, *, envelope: bool) -> None:
    """What decrypts to anything but JSON is refused at the ciphertext's place."""
    payload = seal(plaintext, envelope=envelope)
    for call in (
        lambda: validate_unisights_payload(payload),
        lambda: decode_unisights_payload(json.dumps(payload).encode()),
    ):
        assert problems_of(call) == [(PLACES[envelope]["ciphertext"], "json")]


@FORMS
@pytest.mark.parametrize(
    ("plaintext", "expected"),
    [
        ([], [("/data", "type")]),
        (make_payload(), [("/data", "required")] * 4),
        (make_data(scroll_depth=-1), [("/data/scroll_depth", "minimum")]),
        (make_data(events=[click(x=None)]), [("/data/events/0/data/x", "type")]),
        (make_data(asset_id=""), [("/data/asset_id", "minLength")]),
    ],
)
def test_invalid_plaintext_is_refused_as_if_plain(
    plaintext: Any, expected: list[tuple[str, str]], *, envelope: bool
) -> None:
    """Problems of the decrypted data are named where they would be had it come plain."""
    payload = seal(json.dumps(plaintext).encode(), envelope=envelope)
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload(payload)
    assert not isinstance(caught.value, DecryptionError)
    assert [(p.pointer, p.rule) for p in caught.value.problems] == expected


@pytest.mark.parametrize("encrypted", [False, None, 1, "true"])
def test_only_true_marks_an_encrypted_payload(encrypted: Any) -> None:
    """A ciphertext that is not marked `encrypted: true` is not decrypted, but refused."""
    payload = {**sealed_data(envelope=False), "encrypted": encrypted}
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload(payload)
    assert not isinstance(caught.value, DecryptionError)
    assert ("/data", "type") in [(p.pointer, p.rule) for p in caught.value.problems]


def test_an_envelope_takes_precedence() -> None:
    """Where both forms are in one payload, the envelope is what is opened."""
    payload = {
        **sealed_data(envelope=False, page_url="https://root.example/"),
        **sealed_data(envelope=True, page_url="https://envelope.example/"),
    }
    assert validate_unisights_payload(payload).data.page_url == "https://envelope.example/"


def test_a_null_envelope_is_none() -> None:
    """An envelope of null is no envelope: the values at the root are opened."""
    payload = {**sealed_data(envelope=False), "envelope": None}
    assert validate_unisights_payload(payload).data.asset_id == SITE_ID


@PROPERTY
@given(
    st.builds(
        make_data,
        asset_id=st.just(SITE_ID),
        utm_params=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
        scroll_depth=st.floats(0, 1e6),
        events=st.lists(
            st.builds(
                click, x=st.floats(-1e9, 1e9), timestamp=st.floats(0, 2e12) | st.integers(0, 2**53)
            ),
            max_size=3,
        ),
    ),
    st.booleans(),
    st.integers(0, 2**53 - 1),
)
def test_sealed_and_plain_sessions_are_equal(
    data: dict[str, Any],
    envelope: bool,
    bucket: int,
) -> None:
    """Any session decodes to the same payload, sent plain or in either encrypted form."""
    payload = seal(json.dumps(data).encode(), envelope=envelope, bucket=bucket)
    plain = validate_unisights_payload({"data": data})
    assert decode_unisights_payload(json.dumps(payload).encode()) == plain


@pytest.mark.parametrize("envelope", [False, True])
def test_decoding_leaves_nothing_to_the_garbage_collector(*, envelope: bool) -> None:
    """No reference cycle keeps a body: what the fast path raised on the way is not held on to."""
    plaintext = json.dumps(make_data(events=[click(timestamp=1.0)])).encode()
    body = json.dumps(seal(plaintext, envelope=envelope)).encode()
    decode_unisights_payload(body)
    gc.collect()
    gc.disable()
    try:
        decode_unisights_payload(body)
        assert gc.collect() == 0
    finally:
        gc.enable()
