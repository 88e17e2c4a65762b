"""The judges agree: the schema's referee, the compiled validator, and the byte decoder.

`tests/fuzz`, where judges are defined, tries them on far more; here each place, each type and each
part has its turn.
"""

import copy
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import (
    ODD_NUMBERS,
    ODD_TEXTS,
    ODD_VALUES,
    Path,
    holder_of,
    mutate,
    paths_of,
)
from tests.referee import DEFINITIONS, escaped, is_finite, referee
from unisights import (
    UnisightsError,
    ValidationError,
    decode_unisights_payload,
    types,
    validate_unisights_payload,
)
from unisights._decoding.generated import decoder, lenient
from unisights._schema.validation import find_problems
from unisights.testing import NUMBERS, objects
from unisights.types import UnisightsPayload

OBJECTS = [name for name, schema in DEFINITIONS.items() if schema.get("type") == "object"]
WITHOUT_EVENTS = [name for name in OBJECTS if name not in {"UnisightsPayload", "UnisightsData"}]


def examples(number: int) -> settings:
    """How often a property is tried; always the same tries in CI."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


PLAIN_REFEREE = referee("UnisightsPayload")

SCALARS = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def mutated(originals: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Parsed JSON with one or two places changed."""
    changed = st.builds(mutate, st.randoms(use_true_random=False), originals)
    return changed.filter(is_finite)


# The judges.


def decoded_fast(body: bytes) -> UnisightsPayload | None:
    """What the fast path alone makes of a body; None if it refuses."""
    strict, loose = (_taken(module.decode_UnisightsPayload, body) for module in (decoder, lenient))
    assert strict in (None, loose), "the lenient variant takes all that the strict one takes"
    return loose


def _taken(decode: Callable[[bytes], UnisightsPayload], body: bytes) -> UnisightsPayload | None:
    try:
        return decode(body)
    except decoder.REFUSALS + lenient.REFUSALS:
        return None


def found_by(call: Callable[[Any], Any], argument: Any) -> tuple[Any, set[tuple[str, str]]]:
    """What a judge returns, and the problems it raises."""
    try:
        return call(argument), set()
    except ValidationError as error:
        return None, {(p.pointer, p.rule) for p in error.problems}


def assert_agreement(obj: Any) -> None:
    """Assert that all judges give the same result on a plain payload, and the same result.

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


@pytest.mark.parametrize("path", [*paths_of(COMPLETE)], ids=lambda path: "/".join(map(str, path)))
def test_all_judges_agree_on_every_single_change(path: Path) -> None:
    """Whatever stands at any one place, or if nothing does, all judges give the same result."""
    numbers = filter(is_finite, ODD_NUMBERS)
    for value in [*ODD_VALUES, *ODD_TEXTS, *numbers, "nested", "deleted"]:
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
        ("".join(f"/{escaped(part)}" for part in error.absolute_path), error.validator)
        for error in referee(name).iter_errors(obj)
    }
    assert {(p.pointer, p.rule) for p in find_problems(name, obj)} == expected


# Bytes.


@examples(150)
@given(st.binary(max_size=50) | st.text(max_size=50).map(str.encode) | JSON.map(json.dumps))
def test_any_bytes_at_all_are_refused_on_purpose(body: bytes | str) -> None:
    """Bytes that are no payload raise an error of the package, never another."""
    with pytest.raises(UnisightsError):
        decode_unisights_payload(body.encode() if isinstance(body, str) else body)


@examples(150)
@given(JSON)
def test_any_object_at_all_is_validated(obj: Any) -> None:
    """Parsed JSON that is no payload raises a ValidationError with at least one problem."""
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload(obj)
    assert caught.value.problems
