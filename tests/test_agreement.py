"""The judges agree: the schema's referee, the compiled validator, and the byte decoder."""

import contextlib
import copy
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import CAPTURES, SESSION_ID, capture, seal
from unisights import (
    InvalidJSONError,
    UnisightsError,
    ValidationError,
    decode_unisights_payload,
    types,
    validate_unisights_payload,
)
from unisights._authority import find_problems
from unisights._generated.decoder import REFUSALS, decode_UnisightsPayload
from unisights.schema import schema_text
from unisights.testing import NUMBERS, objects
from unisights.types import UnisightsPayload

SCHEMA: dict[str, Any] = json.loads(schema_text())
DEFINITIONS: dict[str, Any] = SCHEMA["definitions"]
OBJECTS = [name for name, schema in DEFINITIONS.items() if schema.get("type") == "object"]
WITHOUT_EVENTS = [name for name in OBJECTS if name not in {"UnisightsPayload", "UnisightsData"}]

REFEREE = jsonschema.Draft7Validator(SCHEMA)


def examples(number: int) -> settings:
    """How often a property is tried; always the same tries in CI."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def referee(definition: str) -> jsonschema.Draft7Validator:
    """The referee for one of the schema's definitions."""
    return REFEREE.evolve(schema={"$ref": f"#/definitions/{definition}"})


PLAIN_REFEREE = referee("UnisightsPayload")

SCALARS = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)

# Mutations.

ODD_TEXT = ["", "\x00", "\ufffd", "\ud83d", "😀", "é", "x" * 300, "javascript", SESSION_ID + "\n"]


Path = tuple[str | int, ...]


def paths_of(obj: Any, path: Path = ()) -> Iterator[Path]:
    """The path to every place inside parsed JSON."""
    for key in obj if isinstance(obj, dict) else range(len(obj)):
        yield (*path, key)
        if isinstance(obj[key], dict | list):
            yield from paths_of(obj[key], (*path, key))


def holder_of(obj: Any, path: Path) -> Any:
    """The array or object that holds the place at a path."""
    for key in path[:-1]:
        obj = obj[key]
    return obj


@st.composite
def mutated(draw: st.DrawFn, originals: st.SearchStrategy[Any]) -> Any:
    """Parsed JSON with one or two places changed."""
    obj = copy.deepcopy(draw(originals))
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        paths = list(paths_of(obj))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        holder, key = holder_of(obj, path), path[-1]
        value = holder[key]
        match draw(st.sampled_from(["delete", "swap", "nudge", "odd", "nest", "copy"])):
            case "delete":
                del holder[key]
            case "swap":
                holder[key] = draw(JSON)
            case "nudge":
                numeric = isinstance(value, int | float) and not isinstance(value, bool)
                holder[key] = draw(
                    st.sampled_from([-1, -0.5, value + 0.5, -value, float(value), *NUMBERS])
                    if numeric and abs(value) < 1e300
                    else st.sampled_from([-1, -0.5, *NUMBERS])
                )
            case "odd":
                holder[key] = draw(st.sampled_from(ODD_TEXT))
            case "nest":
                holder[key] = draw(st.sampled_from([[value], {"data": value}, {"type": value}]))
            case "copy" if isinstance(holder, list):
                holder.append(copy.deepcopy(value))
            case "copy":
                holder[draw(st.sampled_from([*holder, "copy"]))] = copy.deepcopy(value)
    return obj


def shortened(name: str) -> Any:
    """A plain capture, parsed, with at most eight of its events."""
    parsed = json.loads(capture(name))
    parsed["data"]["events"] = parsed["data"]["events"][:8]
    return parsed


PLAIN = [name for name in CAPTURES if json.loads(capture(name))["encrypted"] is False]
SENT = st.sampled_from([shortened(n) for n in PLAIN if len(capture(n)) < 16_384])


# The judges.


def decoded_fast(body: bytes) -> UnisightsPayload | None:
    """What the fast path alone makes of a body; None if it refuses."""
    try:
        return decode_UnisightsPayload(body)
    except REFUSALS:
        return None


def found_by(call: Callable[[Any], Any], argument: Any) -> tuple[Any, set[tuple[str, str]]]:
    """What a judge returns, and the problems it raises."""
    try:
        return call(argument), set()
    except ValidationError as error:
        return None, {(p.pointer, p.rule) for p in error.problems}


def assert_agreement(obj: Any) -> None:
    """Assert that all judges give the same verdict on a plain payload, and the same result.

    One that is marked as encrypted without being so is none.
    """
    valid = PLAIN_REFEREE.is_valid(obj)
    body = json.dumps(obj).encode()
    fast = decoded_fast(body)
    assert valid or fast is None, "the fast path takes what the schema refuses"
    assert (find_problems("UnisightsPayload", obj) == []) is valid
    payload, problems = found_by(decode_unisights_payload, body)
    from_object, same_problems = found_by(validate_unisights_payload, obj)
    assert (payload is not None) is valid
    assert problems == same_problems
    assert (problems == set()) is valid
    assert payload == from_object
    if fast is not None:
        assert fast == from_object
        # Equality does not tell 1 from 1.0, nor 0.0 from -0.0.
        assert repr(fast.data) == repr(from_object.data)


COMPLETE = json.loads("""{
  "data": {
    "asset_id": "site", "session_id": "550e8400-e29b-41d4-a716-446655440000",
    "page_url": "https://example.com/", "entry_page": "https://example.com/", "exit_page": null,
    "utm_params": {"utm_source": "a", "utm_id": "b"},
    "device_info": {
      "browser": "Chrome", "os": "Linux", "device_type": "Desktop", "user_agent": "Mozilla/5.0",
      "platform": "Linux", "referrer": "direct", "screen_width": 1280, "screen_height": 720
    },
    "scroll_depth": 101.38, "time_on_page": 2.5,
    "events": [
      {"type": "page_view", "data": {"location": "/", "title": "t", "timestamp": 1}},
      {"type": "click", "data": {"x": 1, "y": 0.5, "timestamp": 2}},
      {"type": "web_vital", "data": {
        "name": "LCP", "value": 2.5, "rating": "good", "delta": 0, "id": "v", "entries": 1,
        "navigation_type": "navigate", "timestamp": 3
      }},
      {"type": "custom", "data": {"name": "n", "data": "null", "timestamp": 4}},
      {"type": "error", "data": {
        "message": "m", "source": "s", "lineno": 1, "colno": 2, "stack": "s", "timestamp": 5
      }}
    ]
  },
  "encrypted": false
}""")
"""A payload with every property and every type of event."""

ODD_VALUES = [
    *(None, True, False, [], {}, [1], ["x"], {"a": 1}, {"a": "b"}, {"type": "click"}),
    *(0, -0.0, 1.0, 0.5, -1, -0.5, 101.38, 5e-324, 1e300, 10**30, -(10**30)),
    *(2**53 - 1, 2**53, 1 - 2**53, -(2**53), 2**63, 2**64, -(2**63) - 1),
    *("", " ", "x", "0", "\x00", "\ud83d", "😀", "é", "good", "bad", "click", "error", "false"),
    *(SESSION_ID, SESSION_ID.upper(), SESSION_ID + "\n", " " + SESSION_ID[1:], "0" * 36),
    *("not a url", "https://", "https:///x", "http:x", "HTTP:x", "https://a b", "file:x", "x:"),
    *("//e.com", "1a:b", "a_b:c", "about:blank", "mailto:é", "https://é/", "https://a\n"),
]


@pytest.mark.parametrize("path", [*paths_of(COMPLETE)], ids=lambda path: "/".join(map(str, path)))
def test_all_judges_agree_on_every_single_change(path: Path) -> None:
    """Whatever stands at any one place, or if nothing does, all judges give the same verdict."""
    for value in [*ODD_VALUES, "nested", "deleted"]:
        obj = copy.deepcopy(COMPLETE)
        holder = holder_of(obj, path)
        if value == "deleted":
            del holder[path[-1]]
        else:
            holder[path[-1]] = [holder[path[-1]]] if value == "nested" else value
        assert_agreement(obj)


@examples(100)
@given(objects("UnisightsPayload"))
def test_all_judges_take_instances_of_the_schema(obj: Any) -> None:
    """What is made by the schema is valid to every judge, and decodes to the same payload."""
    PLAIN_REFEREE.validate(obj)
    assert_agreement(obj)


@examples(150)
@given(mutated(objects("UnisightsPayload")))
def test_all_judges_agree_on_mutated_instances(obj: Any) -> None:
    """An instance that was changed at random is valid to all judges or to none."""
    assert_agreement(obj)


@examples(200)
@given(mutated(SENT))
def test_all_judges_agree_on_mutated_captures(obj: Any) -> None:
    """A recorded body that was changed at random is valid to all judges or to none."""
    assert_agreement(obj)


@examples(100)
@given(objects("UnisightsPayload"))
def test_payloads_survive_the_round_trip(obj: Any) -> None:
    """A payload's `to_dict` is valid JSON by the schema, and decodes to an equal payload."""
    payload = validate_unisights_payload(obj)
    wire = payload.to_dict()
    text = json.dumps(wire, allow_nan=False)
    PLAIN_REFEREE.validate(json.loads(text))
    assert UnisightsPayload.from_dict(wire) == payload
    assert decode_unisights_payload(text.encode()) == payload
    assert UnisightsPayload.from_dict(wire).to_dict() == wire


@pytest.mark.parametrize("name", OBJECTS)
@examples(15)
@given(data=st.data())
def test_every_type_survives_the_round_trip(name: str, data: st.DataObject) -> None:
    """Each type's `to_dict` is valid by its definition, and `from_dict` brings back an equal."""
    cls = getattr(types, name)
    typed = cls.from_dict(data.draw(objects(name)))
    referee(name).validate(typed.to_dict())
    assert cls.from_dict(typed.to_dict()) == typed


@pytest.mark.parametrize("name", WITHOUT_EVENTS)
@examples(40)
@given(data=st.data())
def test_problems_are_those_the_referee_names(name: str, data: st.DataObject) -> None:
    """In any part of a payload, the problems are at the places and of the rules that are broken."""
    obj = data.draw(mutated(objects(name)) | JSON)
    expected = {
        ("".join(f"/{_escaped(part)}" for part in error.absolute_path), error.validator)
        for error in referee(name).iter_errors(obj)
    }
    assert {(p.pointer, p.rule) for p in find_problems(name, obj)} == expected


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


@examples(100)
@given(mutated(SENT.map(lambda sent: sent["data"])).filter(lambda data: data.get("asset_id")))
def test_encryption_makes_no_difference(data: Any) -> None:
    """The same data, sent plain or encrypted, has the same problems or the same payload."""
    site_id = data["asset_id"] if isinstance(data["asset_id"], str) else "site"
    site_id = re.sub("[\ud800-\udfff]", "\ufffd", site_id)
    body = seal(json.dumps(data).encode(), site_id=site_id)
    plain = found_by(validate_unisights_payload, {"data": data})
    assert found_by(validate_unisights_payload, body) == plain


# Bytes.

FRAGMENTS = [
    *(b"", b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"0", b"-", b".", b"e", b"1e5", b" "),
    *(b"null", b"true", b"NaN", b"\\u0000", b"\\ud83d", b"\\x", b"\x00", b"\xff", b"\xed\xa0\x80"),
    *(b"\xef\xbb\xbf", b"\n", b'"x":1,', b'"type":"click",', b"[[", b"]]", b'{"data":', b"1.0"),
]


@st.composite
def edited_bytes(draw: st.DrawFn) -> bytes:
    """A recorded body with a few of its bytes replaced."""
    body = draw(st.sampled_from([capture(n) for n in CAPTURES if len(capture(n)) < 4096]))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 4))
        body = body[:start] + draw(st.sampled_from(FRAGMENTS)) + body[start + length :]
    return body


def parsed_strictly(body: bytes) -> Any:
    """What the standard library reads.

    Raises:
        ValueError: it is no JSON.
        OverflowError: it holds a number that no double can hold.
    """

    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    def to_float(digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            raise OverflowError(digits)
        return value

    return json.loads(body.decode("utf-8-sig"), parse_constant=refuse, parse_float=to_float)


@examples(400)
@given(edited_bytes())
def test_edited_bytes_are_judged_as_what_they_say(body: bytes) -> None:
    """Damaged bytes are refused as no JSON, or judged just as the object they parse to."""
    try:
        obj = parsed_strictly(body)
    except ValueError:
        with pytest.raises(InvalidJSONError):
            decode_unisights_payload(body)
        return
    except OverflowError:
        with contextlib.suppress(UnisightsError):
            decode_unisights_payload(body)
        return
    expected = found_by(validate_unisights_payload, obj)
    assert found_by(decode_unisights_payload, body) == expected
    if not (isinstance(obj, dict) and obj.get("encrypted") is True):
        assert (expected[0] is not None) is PLAIN_REFEREE.is_valid(obj)


@examples(150)
@given(st.binary(max_size=50) | st.text(max_size=50).map(str.encode) | JSON.map(json.dumps))
def test_any_bytes_at_all_are_refused_on_purpose(body: bytes | str) -> None:
    """Bytes that are no payload raise an error of the package, never another."""
    with pytest.raises(UnisightsError):
        decode_unisights_payload(body.encode() if isinstance(body, str) else body)


@examples(150)
@given(JSON)
def test_any_object_at_all_is_judged(obj: Any) -> None:
    """Parsed JSON that is no payload raises a ValidationError with at least one problem."""
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload(obj)
    assert caught.value.problems
