"""The vectors: sound and complete as data, and how all implementations in Python take them."""

import base64
import hashlib
import hmac
import itertools
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from codegen.vector_layout import lay_out_file
from tests.referee import (
    BEYOND_THE_SCHEMA,
    DEFINITIONS,
    MEMBERS,
    REFEREE,
    UNREADABLE,
    Problems,
    form_of,
    is_finite,
    parse,
    problems_by_referee,
    reference_name,
    resolve,
    without_infinity,
)
from tests.support import decode_fast
from tests.vectors.cases import (
    ENCRYPTED,
    FILES,
    FORMAT,
    JSON_VECTORS,
    VECTOR_DIR,
    VECTORS,
    Vector,
    each,
)
from unisights import (
    InvalidJSONError,
    UnisightsPayload,
    ValidationError,
    decode_unisights_payload,
    validate_unisights_payload,
)
from unisights.encryption import decrypt, derive_key, encrypt

# The vectors as data.


def test_every_file_is_found() -> None:
    """There is a file for every subject, and in each of them there are cases."""
    assert {path.stem for path in FILES} >= {
        *("payload", "session", "utm_params", "device_info", "events", *MEMBERS),
        *("envelopes", "encryption", "numbers", "strings", "captures"),
    }
    assert {vector.file for vector in VECTORS} == set(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_follow_their_format(path: Path) -> None:
    """Each file is valid by `vectors.schema.json`, which is a valid schema itself."""
    schema = json.loads(FORMAT.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(json.loads(path.read_text(encoding="utf-8")))


def test_ids_are_unique_and_name_their_file() -> None:
    """No two cases share an id, in whatever files, and each id begins with its file's name."""
    ids = [str(vector) for vector in VECTORS]
    assert sorted(ids) == sorted(set(ids))
    assert [str(v) for v in VECTORS if str(v).partition("/")[0] != v.file.stem] == []


def test_errors_are_sorted() -> None:
    """Errors stand in one order, by pointer and then by rule, so that files differ little."""
    for vector in VECTORS:
        found = [(error["pointer"], error["rule"]) for error in vector.case["errors"]]
        assert found == sorted(set(found)), str(vector)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_are_laid_out_as_make_vectors_does(path: Path) -> None:
    """Recording changes what has changed, and no other line."""
    text = path.read_text(encoding="utf-8")
    assert lay_out_file(json.loads(text)) == text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_any_parser_reads_the_files(path: Path) -> None:
    """A file holds nothing on which JSON parsers differ: that is what `body` is for."""

    def check_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        assert len(found) == len(pairs), "a key that is written twice"
        return found

    text = path.read_bytes().decode("utf-8")
    parsed = json.loads(text, object_pairs_hook=check_pairs)
    assert is_finite(parsed)
    assert not re.search("[\ud800-\udfff]", json.dumps(parsed, ensure_ascii=False))
    assert "\r" not in text
    assert "\t" not in text
    assert text.endswith("}\n")


def test_every_capture_is_a_case() -> None:
    """The files that cases name are there, and each recorded body is the case of its name."""
    named = {vector.case["file"]: str(vector) for vector in VECTORS if "file" in vector.case}
    found = {path.relative_to(VECTOR_DIR).as_posix() for path in VECTOR_DIR.glob("captures/*")}
    assert set(named) == found
    assert len(found) >= 41
    assert all(f"{name}.json" == path for path, name in named.items())
    assert all(vector.case["valid"] for vector in VECTORS if "file" in vector.case)


# Whether the cases cover the schema.

TYPES = {
    "null": type(None),
    "boolean": bool,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}

SCHEMA_RULES = {
    *("required", "type", "const", "enum", "minimum", "maximum"),
    *("minLength", "maxLength", "pattern"),
}

TELLS_APART = {
    *((name, "type") for name in DEFINITIONS if "type" in DEFINITIONS[name].get("properties", {})),
    ("EncryptedPayload", "encrypted"),
    ("EncryptedPayload", "envelope"),
    ("EncryptedEnvelopePayload", "encrypted"),
}
"""Properties that decide by which definition an object is validated: with another value there, it
is by another. Files of their own cover them."""


def objects_in(definition: str, obj: Any, pointer: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every object of a body that the schema knows: its definition, its pointer, itself."""
    if definition == "UnisightsEvent":
        tag = obj.get("type") if isinstance(obj, dict) else None
        definition = MEMBERS.get(tag, "") if isinstance(tag, str) else ""
    if not definition or not isinstance(obj, dict):
        return
    yield definition, pointer, obj
    for key, schema in DEFINITIONS[definition]["properties"].items():
        if key not in obj:
            continue
        if resolve(schema).get("type") == "array" and isinstance(obj[key], list):
            item = reference_name(resolve(schema)["items"])
            for index, value in enumerate(obj[key]):
                yield from objects_in(item, value, f"{pointer}/{key}/{index}")
        elif resolve(schema).get("type") == "object":
            yield from objects_in(reference_name(schema), obj[key], f"{pointer}/{key}")


def type_name(value: Any) -> str:
    """The JSON type of a value."""
    if isinstance(value, bool):
        return "boolean"
    return next(name for name, python in TYPES.items() if isinstance(value, python))


def needed_of(definition: str, key: str) -> Iterator[str]:
    """What the cases must show of a property: its types, and every rule kept and broken."""
    schema = resolve(DEFINITIONS[definition]["properties"][key])
    is_required = key in DEFINITIONS[definition].get("required", ())
    yield "invalid: missing" if is_required else "valid: missing"
    if "const" in schema:
        yield from [f"valid: {schema['const']!r}", "invalid: const"]
        return
    declared = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    taken = {"number" if name == "integer" else name for name in declared}
    yield from (f"valid: {name}" for name in taken)
    yield from (f"invalid: {name}" for name in TYPES if name not in taken)
    if "integer" in declared:
        yield "invalid: fraction"
    yield from (f"valid: {value!r}" for value in schema.get("enum", ()))
    yield from (f"invalid: {rule}" for rule in ("enum", "pattern") if rule in schema)
    for rule, outside in (("minimum", -1), ("maximum", 1)):
        if rule in schema:
            bound = schema[rule]
            if "integer" in declared:
                just = bound + outside
            else:
                just = math.nextafter(bound, outside * math.inf)
            yield from [f"valid: {bound!r}", f"invalid: {rule} {just!r}"]
    for rule, outside in (("minLength", -1), ("maxLength", 1)):
        if rule in schema:
            yield from [
                f"valid: length {schema[rule]}",
                f"invalid: {rule} of {schema[rule] + outside}",
            ]
    directives = schema.get("x-decode", {})
    if directives.get("integer"):
        yield "valid: fraction"
    if "maximum" in directives:
        yield from [f"valid: {directives['maximum']!r}", f"valid: > {directives['maximum']!r}"]


def shown_by(vector: Vector) -> Iterator[tuple[str, str, str]]:
    """What a case shows, of which property."""
    valid = vector.case["valid"] or vector.encryption is not None
    for definition, pointer, obj in objects_in(form_of(vector.parsed), vector.parsed):
        schemas = DEFINITIONS[definition]["properties"]
        for key in schemas:
            rules = {rule for place, rule in vector.errors if place == f"{pointer}/{key}"}
            if key not in obj:
                if valid or (pointer, "required") in vector.errors:
                    yield definition, key, "valid: missing" if valid else "invalid: missing"
                continue
            value = obj[key]
            if valid:
                yield from (
                    (definition, key, f"valid: {text}") for text in kept_by(value, schemas[key])
                )
            for rule in rules:
                yield from (
                    (definition, key, f"invalid: {text}") for text in broken_by(value, rule)
                )


def kept_by(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """What a valid value shows."""
    yield from [type_name(value), repr(value)]
    if isinstance(value, str):
        yield f"length {len(value)}"
    if isinstance(value, float) and not value.is_integer():
        yield "fraction"
    clamp = resolve(schema).get("x-decode", {}).get("maximum")
    if clamp is not None and value > clamp:
        yield f"> {clamp!r}"


def broken_by(value: Any, rule: str) -> Iterator[str]:
    """What an invalid value shows."""
    yield from [rule, f"{rule} {value!r}"]
    if rule == "type":
        yield type_name(value)
        if isinstance(value, float):
            yield "fraction"
    if isinstance(value, str):
        yield f"{rule} of {len(value)}"


def test_the_cases_cover_the_schema() -> None:
    """Of every property there are cases without it, of every type, and around every bound."""
    needed = {
        (definition, key, what)
        for definition, schema in DEFINITIONS.items()
        for key in schema.get("properties", ())
        for what in needed_of(definition, key)
        if (definition, key) not in TELLS_APART
        # Without an envelope, a payload is validated by the other encrypted form.
        and (definition, key, what) != ("EncryptedEnvelopePayload", "envelope", "invalid: missing")
        and (definition, key, what) != ("EncryptedEnvelopePayload", "envelope", "invalid: null")
    }
    shown = {found for vector in JSON_VECTORS for found in shown_by(vector)}
    assert sorted(needed - shown) == []


def test_what_tells_objects_apart_is_covered() -> None:
    """Every form and every type of event has valid cases, and cases that only seem to be of it."""
    valid = {
        definition
        for vector in JSON_VECTORS
        if vector.case["valid"]
        for definition, _, _ in objects_in(form_of(vector.parsed), vector.parsed)
    }
    assert valid == {name for name, schema in DEFINITIONS.items() if "properties" in schema}
    errors = set.union(*(vector.errors for vector in VECTORS))
    assert {
        ("/encrypted", "const"),
        ("/envelope", "type"),
        ("/data/events/0/type", "enum"),
    } <= errors
    assert {rule for _, rule in errors} == SCHEMA_RULES | BEYOND_THE_SCHEMA


# The implementations.


def validated(call: Any, argument: Any, vector: Vector) -> tuple[UnisightsPayload | None, Problems]:
    """What an implementation returns, and what it finds wrong."""
    try:
        return call(argument, server_secret=vector.case.get("server_secret")), set()
    except InvalidJSONError:
        return None, UNREADABLE
    except ValidationError as error:
        return None, {(p.pointer, p.rule) for p in error.problems}


def assert_decoded(payload: UnisightsPayload | None, vector: Vector) -> None:
    """Assert that a payload is what the case says, down to the types of its numbers."""
    assert (payload is not None) is vector.case["valid"]
    if payload is not None and "decoded" in vector.case:
        decoded = payload.data.to_dict()
        assert decoded == vector.case["decoded"]
        texts = [json.dumps(data, sort_keys=True) for data in (decoded, vector.case["decoded"])]
        assert texts[0] == texts[1]


@each(JSON_VECTORS)
def test_the_referee_agrees(vector: Vector) -> None:
    """`jsonschema` gives the result that the case gives, and breaks the same rules."""
    found = problems_by_referee(form_of(vector.parsed), vector.parsed)
    assert REFEREE.is_valid(vector.parsed) is (found == set())
    if vector.encryption is None:
        assert found == vector.errors
        return
    assert found == set()
    if not {rule for _, rule in vector.errors} & BEYOND_THE_SCHEMA:
        session = {"data": parse(vector.plaintext)}
        assert problems_by_referee("UnisightsPayload", session) == vector.errors


@each([vector for vector in VECTORS if not vector.is_json])
def test_unreadable_bodies_are_no_json(vector: Vector) -> None:
    """What is not JSON is expected to be named so; so are numbers beyond doubles, if they count."""
    try:
        obj = vector.parsed
    except ValueError:
        assert vector.errors == UNREADABLE
    else:
        is_unread = REFEREE.is_valid(without_infinity(obj))
        assert vector.errors == (set() if is_unread else UNREADABLE)


@each(VECTORS)
def test_the_decoder_agrees(vector: Vector) -> None:
    """Decoding the bytes gives the case's result, its errors, and its session."""
    payload, problems = validated(decode_unisights_payload, vector.body, vector)
    assert problems == vector.errors
    assert_decoded(payload, vector)
    if payload is not None:
        assert payload.encrypted is (vector.encryption is not None)
        assert payload.raw == vector.body


@each(JSON_VECTORS)
def test_the_validator_agrees(vector: Vector) -> None:
    """Validating the parsed object gives the case's result, its errors, and its session."""
    payload, problems = validated(validate_unisights_payload, vector.parsed, vector)
    assert problems == vector.errors
    assert_decoded(payload, vector)


@each(VECTORS)
def test_the_fast_path_is_sound(vector: Vector) -> None:
    """The fast path alone takes nothing that is refused, and decodes to the same session."""
    payload = decode_fast(vector.body)
    if payload is not None:
        assert vector.case["valid"]
        assert_decoded(payload, vector)


# The cipher.


@each(ENCRYPTED)
def test_the_cipher_follows_its_formulas(vector: Vector) -> None:
    """Key, ciphertext and tag are what the formulas give, and what the package gives."""
    enc = vector.encryption
    assert enc
    material = enc["site_id"].encode() + b":" + enc["bucket"].to_bytes(8, "big") + b":"
    key = hashlib.sha256(material + enc["ua_hash"].encode()).digest()
    if "server_secret" in enc:
        key = hmac.digest(enc["server_secret"].encode(), key, "sha256")
    counters = range(-(-len(vector.plaintext) // 32))
    keystream = b"".join(hashlib.sha256(key + n.to_bytes(4, "big")).digest() for n in counters)
    ciphertext = bytes(a ^ b for a, b in zip(vector.plaintext, keystream, strict=False))
    tag = hmac.digest(key, ciphertext, "sha256")
    assert enc["key"] == key.hex() == derive_key(**vector.key_inputs).hex()
    assert base64.b64decode(enc["ciphertext"], validate=True) == ciphertext
    assert base64.b64decode(enc["tag"], validate=True) == tag
    assert encrypt(vector.plaintext, **vector.key_inputs) == (ciphertext, tag)
    assert decrypt(ciphertext, tag, **vector.key_inputs) == vector.plaintext


def test_encryption_makes_no_difference() -> None:
    """Each type of event is encrypted in both forms, with whole numbers and floats, all alike."""
    sessions: dict[str, list[Any]] = {}
    shown = set()
    for vector in ENCRYPTED:
        subject, _, numbers = str(vector).rpartition("/")
        if numbers in {"session", "floats"}:
            decoded = vector.case["decoded"]
            sessions.setdefault(subject.rpartition("/")[0], []).append(decoded)
            form = form_of(vector.parsed)
            shown |= {(event["type"], form, numbers) for event in decoded["events"]}
    forms = ("EncryptedPayload", "EncryptedEnvelopePayload")
    assert shown == {*itertools.product(MEMBERS, forms, ("session", "floats"))}
    for first, *others in sessions.values():
        assert len(others) == 3
        assert all(other == first for other in others)
        plain, _ = validated(validate_unisights_payload, {"data": first}, ENCRYPTED[0])
        assert plain is not None
        assert plain.data.to_dict() == first
