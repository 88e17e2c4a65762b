"""Validation: what is refused, how it is named, and that no input does harm."""

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.referee import MEMBERS
from tests.support import SITE_ID, click, make_body, make_data, make_payload, seal
from unisights import (
    InvalidJSONError,
    UnisightsError,
    ValidationError,
    decode_unisights_payload,
    validate_unisights_payload,
)
from unisights._schema.messages import to_problem
from unisights._schema.violations import Violation
from unisights.types import ClickEventData, UnisightsPayload
from unisights.validator import Checks

Found = list[tuple[str, str]]

MEBIBYTE = 1 << 20
MOST_PROBLEMS = 1000


def found_in(call: Callable[[], Any]) -> Found:
    """The pointer and rule of every problem that a call raises, sorted; none if it does not."""
    try:
        call()
    except ValidationError as error:
        return sorted((p.pointer, p.rule) for p in error.problems)
    return []


def decoded(obj: Any, checks: Checks | None = None) -> UnisightsPayload:
    """Decode an object that was dumped as JSON."""
    body = json.dumps(obj).encode()
    return decode_unisights_payload(body, checks=checks or Checks())


def vital(**changes: Any) -> dict[str, Any]:
    """A valid web vital, with changes to its data."""
    data = {
        "name": "LCP",
        "value": 2.5,
        "rating": "good",
        "delta": 0.1,
        "id": "v1",
        "entries": 1,
        "navigation_type": "navigate",
        "timestamp": 3,
    }
    return {"type": "web_vital", "data": {**data, **changes}}


def custom(**changes: Any) -> dict[str, Any]:
    """A valid custom event, with changes to its data."""
    return {"type": "custom", "data": {"name": "n", "data": "null", "timestamp": 3, **changes}}


def error(**changes: Any) -> dict[str, Any]:
    """A valid error, with changes to its data."""
    return {"type": "error", "data": {"message": "m", "timestamp": 3, **changes}}


def without(obj: dict[str, Any], *path: str) -> dict[str, Any]:
    """A copy of an object without the property at a path."""
    result = copy.deepcopy(obj)
    holder = result
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return result


def events(*items: Any) -> dict[str, Any]:
    """A payload with these events."""
    return make_payload(events=list(items))


UUID = "550e8400-e29b-41d4-a716-446655440000"

INVALID: dict[str, tuple[Any, Found]] = {
    # The payload.
    "null": (None, [("", "type")]),
    "array": ([], [("", "type")]),
    "string": ("{}", [("", "type")]),
    "empty object": ({}, [("", "required")]),
    "data null": ({"data": None}, [("/data", "type")]),
    "data array": ({"data": []}, [("/data", "type")]),
    "encrypted null": ({**make_payload(), "encrypted": None}, [("/encrypted", "const")]),
    "encrypted 0": ({**make_payload(), "encrypted": 0}, [("/encrypted", "const")]),
    "encrypted text": ({**make_payload(), "encrypted": "true"}, [("/encrypted", "const")]),
    # The session.
    "no asset_id": (without(make_payload(), "data", "asset_id"), [("/data", "required")]),
    "empty asset_id": (make_payload(asset_id=""), [("/data/asset_id", "minLength")]),
    "asset_id number": (make_payload(asset_id=5), [("/data/asset_id", "type")]),
    "no session_id": (without(make_payload(), "data", "session_id"), [("/data", "required")]),
    "bad session_id": (
        make_payload(session_id="not-a-uuid"),
        [("/data/session_id", "minLength"), ("/data/session_id", "pattern")],
    ),
    "session_id without dashes": (
        make_payload(session_id=UUID.replace("-", "0")),
        [("/data/session_id", "pattern")],
    ),
    "session_id not hexadecimal": (
        make_payload(session_id="g" + UUID[1:]),
        [("/data/session_id", "pattern")],
    ),
    "session_id with newline": (
        make_payload(session_id=UUID + "\n"),
        [("/data/session_id", "maxLength")],
    ),
    "session_id padded": (
        make_payload(session_id=" " + UUID[1:]),
        [("/data/session_id", "pattern")],
    ),
    "session_id null": (make_payload(session_id=None), [("/data/session_id", "type")]),
    "no page_url": (without(make_payload(), "data", "page_url"), [("/data", "required")]),
    "page_url not a url": (make_payload(page_url="not a url"), [("/data/page_url", "pattern")]),
    "page_url empty": (make_payload(page_url=""), [("/data/page_url", "pattern")]),
    "page_url relative": (make_payload(page_url="/shop"), [("/data/page_url", "pattern")]),
    "page_url without host": (make_payload(page_url="https://"), [("/data/page_url", "pattern")]),
    "page_url http: alone": (make_payload(page_url="http:x"), [("/data/page_url", "pattern")]),
    "page_url space in host": (
        make_payload(page_url="https://exa mple.com/"),
        [("/data/page_url", "pattern")],
    ),
    "entry_page number": (make_payload(entry_page=5), [("/data/entry_page", "type")]),
    "exit_page bool": (make_payload(exit_page=False), [("/data/exit_page", "type")]),
    "utm_params null": (make_payload(utm_params=None), [("/data/utm_params", "type")]),
    "utm_params array": (make_payload(utm_params=[]), [("/data/utm_params", "type")]),
    "utm_source null": (
        make_payload(utm_params={"utm_source": None}),
        [("/data/utm_params/utm_source", "type")],
    ),
    "other utm number": (
        make_payload(utm_params={"utm_id": 5}),
        [("/data/utm_params/utm_id", "type")],
    ),
    "device_info null": (make_payload(device_info=None), [("/data/device_info", "type")]),
    "browser null": (
        make_payload(device_info={"browser": None}),
        [("/data/device_info/browser", "type")],
    ),
    "screen_width negative": (
        make_payload(device_info={"screen_width": -1}),
        [("/data/device_info/screen_width", "minimum")],
    ),
    "screen_height text": (
        make_payload(device_info={"screen_height": "720"}),
        [("/data/device_info/screen_height", "type")],
    ),
    "scroll_depth negative": (make_payload(scroll_depth=-0.1), [("/data/scroll_depth", "minimum")]),
    "scroll_depth text": (make_payload(scroll_depth="50"), [("/data/scroll_depth", "type")]),
    "scroll_depth bool": (make_payload(scroll_depth=True), [("/data/scroll_depth", "type")]),
    "time_on_page null": (make_payload(time_on_page=None), [("/data/time_on_page", "type")]),
    "time_on_page negative": (make_payload(time_on_page=-1), [("/data/time_on_page", "minimum")]),
    # The events.
    "no events": (without(make_payload(), "data", "events"), [("/data", "required")]),
    "events null": (make_payload(events=None), [("/data/events", "type")]),
    "events object": (make_payload(events={"0": click()}), [("/data/events", "type")]),
    "event null": (events(None), [("/data/events/0", "type")]),
    "event text": (events("click"), [("/data/events/0", "type")]),
    "event array": (events([]), [("/data/events/0", "type")]),
    "event empty": (events({}), [("/data/events/0", "required")]),
    "unknown type": (
        events(click(), {"type": "hover", "data": {}}),
        [("/data/events/1/type", "enum")],
    ),
    "type null": (events({"type": None, "data": {}}), [("/data/events/0/type", "enum")]),
    "type object": (events({"type": {}, "data": {}}), [("/data/events/0/type", "enum")]),
    "type in capitals": (events({**click(), "type": "Click"}), [("/data/events/0/type", "enum")]),
    "event without data": (events({"type": "click"}), [("/data/events/0", "required")]),
    "event data null": (events({"type": "click", "data": None}), [("/data/events/0/data", "type")]),
    "data of another type": (
        events({"type": "error", "data": click()["data"]}),
        [("/data/events/0/data", "required")],
    ),
    # Events' data.
    "click without x": (
        events(without(click(), "data", "x")),
        [("/data/events/0/data", "required")],
    ),
    "click x bool": (events(click(x=True)), [("/data/events/0/data/x", "type")]),
    "click y text": (events(click(y="2")), [("/data/events/0/data/y", "type")]),
    "click y null": (events(click(y=None)), [("/data/events/0/data/y", "type")]),
    "timestamp text": (events(click(timestamp="3")), [("/data/events/0/data/timestamp", "type")]),
    "timestamp bool": (events(click(timestamp=True)), [("/data/events/0/data/timestamp", "type")]),
    "timestamp null": (events(click(timestamp=None)), [("/data/events/0/data/timestamp", "type")]),
    "timestamp negative": (
        events(click(timestamp=-1)),
        [("/data/events/0/data/timestamp", "minimum")],
    ),
    "location null": (
        events({"type": "page_view", "data": {"location": None, "timestamp": 3}}),
        [("/data/events/0/data/location", "type")],
    ),
    "title number": (
        events({"type": "page_view", "data": {"location": "/", "title": 1, "timestamp": 3}}),
        [("/data/events/0/data/title", "type")],
    ),
    "rating unknown": (events(vital(rating="bad")), [("/data/events/0/data/rating", "enum")]),
    "rating null": (
        events(vital(rating=None)),
        [("/data/events/0/data/rating", "enum"), ("/data/events/0/data/rating", "type")],
    ),
    "value text": (events(vital(value="2")), [("/data/events/0/data/value", "type")]),
    "entries fractional": (events(vital(entries=0.5)), [("/data/events/0/data/entries", "type")]),
    "entries negative": (events(vital(entries=-1)), [("/data/events/0/data/entries", "minimum")]),
    "entries beyond exact": (
        events(vital(entries=2**53)),
        [("/data/events/0/data/entries", "maximum")],
    ),
    "custom data object": (events(custom(data={})), [("/data/events/0/data/data", "type")]),
    "custom without name": (
        events(without(custom(), "data", "name")),
        [("/data/events/0/data", "required")],
    ),
    "error without message": (
        events(without(error(), "data", "message")),
        [("/data/events/0/data", "required")],
    ),
    "lineno fractional": (events(error(lineno=1.5)), [("/data/events/0/data/lineno", "type")]),
    "colno text": (events(error(colno="1")), [("/data/events/0/data/colno", "type")]),
    "stack array": (events(error(stack=[])), [("/data/events/0/data/stack", "type")]),
}

VALID: dict[str, Any] = {
    "least": make_payload(),
    "unmarked": {"data": make_data()},
    "nulls where allowed": make_payload(
        entry_page=None,
        exit_page=None,
        events=[
            error(source=None, lineno=None, colno=None, stack=None),
            {"type": "page_view", "data": {"location": "", "title": None, "timestamp": 0}},
        ],
    ),
    "whole numbers with a fraction of zero": events(vital(entries=1.0), error(lineno=10.0)),
    "clicks anywhere": events(click(x=-8, y=1_000_000), click(x=40.0, y=-0.5)),
    "unknown properties": {**make_payload(next=[1], events=[{**click(n=None), "m": {}}]), "v": 2},
    "unknown property deep below": {**make_payload(), "v": [[[[{"a": [None]}]]]]},
    "any uuid": make_payload(session_id=UUID.upper()),
    "nil uuid": make_payload(session_id="0" * 8 + "-0000-0000-0000-" + "0" * 12),
    "file page": make_payload(page_url="file:///home/user/index.html"),
    "app page": make_payload(page_url="capacitor+app.1://localhost"),
    "port and query": make_payload(page_url="http://127.0.0.1:9001?x=1"),
    "long page": make_payload(page_url="https://example.com/?" + "q" * 30_000),
    "non-ascii": make_payload(asset_id="größe-日本", page_url="https://пример.рф/😀"),
    "empty texts": events(custom(name="", data=""), vital(name="", id="", navigation_type="")),
}


@pytest.mark.parametrize(("obj", "expected"), INVALID.values(), ids=INVALID.keys())
def test_invalid_objects_are_refused_by_name(obj: Any, expected: Found) -> None:
    """Every kind of invalid payload is refused with the pointer and rule of each problem."""
    assert found_in(lambda: validate_unisights_payload(obj)) == expected


@pytest.mark.parametrize(("obj", "expected"), INVALID.values(), ids=INVALID.keys())
def test_bytes_are_validated_as_objects_are(obj: Any, expected: Found) -> None:
    """Decoding bytes finds in an invalid payload just what validating the object finds."""
    assert found_in(lambda: decoded(obj)) == expected


@pytest.mark.parametrize("obj", VALID.values(), ids=VALID.keys())
def test_valid_objects_are_taken(obj: Any) -> None:
    """What is valid is taken, and the same whether it came as bytes or as an object."""
    payload = validate_unisights_payload(obj)
    assert payload == decoded(obj)
    assert payload.data.asset_id == obj["data"]["asset_id"]
    assert len(payload.data.events) == len(obj["data"]["events"])


@pytest.mark.parametrize("envelope", [False, True])
@pytest.mark.parametrize("key", ["site_id", "bucket", "tag", "ciphertext"])
def test_incomplete_encrypted_payloads_are_refused_by_name(key: str, *, envelope: bool) -> None:
    """An encrypted payload that lacks a value is refused, the lack named at its place."""
    payload = seal(b"{}", envelope=envelope)
    holder = payload["envelope"] if envelope else payload
    del holder[key if envelope or key != "ciphertext" else "data"]
    expected = [("/envelope" if envelope else "", "required")]
    assert found_in(lambda: validate_unisights_payload(payload)) == expected
    assert found_in(lambda: decoded(payload)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"bucket": -1}, ("/bucket", "minimum")),
        ({"bucket": 2**53}, ("/bucket", "maximum")),
        ({"bucket": 2**64}, ("/bucket", "maximum")),
        ({"bucket": 0.5}, ("/bucket", "type")),
        ({"bucket": "1"}, ("/bucket", "type")),
        ({"tag": None}, ("/tag", "type")),
        ({"site_id": ""}, ("/site_id", "minLength")),
        ({"ua_hash": None}, ("/ua_hash", "type")),
        ({"data": {}}, ("/data", "type")),
        ({"envelope": []}, ("/envelope", "type")),
    ],
)
def test_malformed_encrypted_payloads_are_refused_by_name(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    """An encrypted payload whose values are of the wrong kind is refused before decryption."""
    payload = {**seal(b"{}"), **changes}
    assert found_in(lambda: validate_unisights_payload(payload)) == [expected]
    assert found_in(lambda: decoded(payload)) == [expected]


def test_every_problem_is_listed() -> None:
    """One error carries all problems of a payload, wherever they are."""
    payload = make_payload(
        asset_id=None,
        session_id="x",
        scroll_depth=-1,
        utm_params={"utm_source": 1, "utm_id": 2},
        events=[
            click(x="1", y=True),
            {"type": "hover"},
            click(),
            {"type": "click", "data": {}},
        ],
    )
    del payload["data"]["page_url"]
    payload["encrypted"] = "no"
    expected = [
        ("/data", "required"),
        ("/data/asset_id", "type"),
        ("/data/events/0/data/x", "type"),
        ("/data/events/0/data/y", "type"),
        ("/data/events/1/type", "enum"),
        ("/data/events/3/data", "required"),
        ("/data/events/3/data", "required"),
        ("/data/events/3/data", "required"),
        ("/data/scroll_depth", "minimum"),
        ("/data/session_id", "minLength"),
        ("/data/session_id", "pattern"),
        ("/data/utm_params/utm_id", "type"),
        ("/data/utm_params/utm_source", "type"),
        ("/encrypted", "const"),
    ]
    assert found_in(lambda: validate_unisights_payload(payload)) == expected
    assert found_in(lambda: decoded(payload)) == expected


def test_problems_speak_to_people() -> None:
    """A message names the place as people write it, and what is demanded there."""
    payload = make_payload(
        page_url="not a url",
        events=[click(), {"type": "web_vital", "data": {}}, {"type": "hover"}, click(x=True)],
    )
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload(payload)
    messages = {p.message for p in caught.value.problems}
    assert "data.events[1].data must contain 'name'" in messages
    assert "data.events[3].data.x must be a number, not true or false" in messages
    (about_url,) = (m for m in messages if "page_url" in m)
    assert "absolute URL" in about_url
    (about_type,) = (m for m in messages if m.startswith("data.events[2].type"))
    assert "'click'" in about_type
    assert "'web_vital'" in about_type


MESSAGES: dict[str, list[str]] = {
    "null": ["the payload must be an object, not null"],
    "array": ["the payload must be an object, not an array"],
    "string": ["the payload must be an object, not a string"],
    "empty object": ["the payload must contain 'data'"],
    "encrypted null": ["encrypted must be false"],
    "empty asset_id": ["data.asset_id must not be empty"],
    "asset_id number": ["data.asset_id must be a string, not a number"],
    "bad session_id": [
        "data.session_id must be a UUID, such as 550e8400-e29b-41d4-a716-446655440000"
    ]
    * 2,
    "page_url not a url": [
        "data.page_url must be an absolute URL, such as https://example.com/page"
    ],
    "exit_page bool": ["data.exit_page must be a string or null, not true or false"],
    "events object": ["data.events must be an array, not an object"],
    "screen_width negative": ["data.device_info.screen_width must be at least 0"],
    "event text": ["data.events[0] must be an object, not a string"],
    "event empty": ["data.events[0] must contain 'type'"],
    "unknown type": [f"data.events[1].type must be one of {', '.join(map(repr, MEMBERS))}"],
    "entries fractional": [
        "data.events[0].data.entries must be a whole number, not a number",
    ],
    "entries beyond exact": ["data.events[0].data.entries must be at most 9007199254740991"],
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_name_the_place_and_the_demand(name: str) -> None:
    """Each kind of problem has its own sentence, the same for an object as for bytes."""
    obj, _ = INVALID[name]
    for call in (validate_unisights_payload, decoded):
        with pytest.raises(ValidationError) as caught:
            call(obj)
        assert [p.message for p in caught.value.problems] == MESSAGES[name]


@pytest.mark.parametrize(
    ("value", "words"),
    [(Decimal(1), "a number"), (object(), "something else"), (b"", "something else")],
)
def test_values_that_no_json_has_are_named(value: object, words: str) -> None:
    """A Python value that is of no JSON type is called so, whatever its class is called."""
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload(make_payload(asset_id=value))
    assert [p.message for p in caught.value.problems] == [
        f"data.asset_id must be a string, not {words}"
    ]


@pytest.mark.parametrize(
    ("rule", "expected", "demand"),
    [
        ("type", ["integer", "boolean"], "be a whole number or true or false, not a string"),
        ("const", True, "be true"),
        ("const", "click", "be 'click'"),
        ("minLength", 2, "have at least 2 characters"),
        ("maxLength", 1, "have at most 1 characters"),
        ("maxLength", "brief", "be brief"),
        ("pattern", "^[a-z]+$", "match the pattern ^[a-z]+$"),
        ("pattern", "a word", "be a word"),
    ],
)
def test_every_rule_has_words(rule: str, expected: Any, demand: str) -> None:
    """Rules that no property of this version has are put into words too."""
    problem = to_problem(Violation(("a", 0), "", rule, expected))
    assert (problem.pointer, problem.rule, problem.message) == ("/a/0", rule, f"a[0] must {demand}")


def test_the_error_reads_as_its_first_problem() -> None:
    """As text, the error is its first problem's message, and says how many more there are."""
    with pytest.raises(ValidationError) as one:
        validate_unisights_payload({})
    assert str(one.value) == one.value.problems[0].message
    with pytest.raises(ValidationError) as several:
        validate_unisights_payload(make_payload(asset_id=1, scroll_depth=-1, time_on_page=-1))
    assert str(several.value).startswith(several.value.problems[0].message)
    assert "2 more problems" in str(several.value)


def test_errors_are_of_one_family() -> None:
    """A refusal is a UnisightsError and a ValueError, each problem ready for the answer."""
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload({})
    assert isinstance(caught.value, UnisightsError)
    assert isinstance(caught.value, ValueError)
    (problem,) = caught.value.problems
    assert problem.to_dict() == {"pointer": "", "rule": "required", "message": problem.message}


AWKWARD_KEYS = [
    *("a.b", "a[0]", "[0]", "a/b", "~", "~1", "", " ", "0", "é", "a\nb"),
    *("{0}", "%s", "data", "__class__"),
]


@pytest.mark.parametrize("key", AWKWARD_KEYS)
def test_pointers_are_escaped(key: str) -> None:
    """A pointer leads to the value by RFC 6901, whatever characters its keys hold."""
    escaped = key.replace("~", "~0").replace("/", "~1")
    payload = make_payload(utm_params={key: 5})
    expected = [(f"/data/utm_params/{escaped}", "type")]
    assert found_in(lambda: validate_unisights_payload(payload)) == expected
    assert found_in(lambda: decoded(payload)) == expected


@pytest.mark.parametrize(
    "params",
    [
        {"a": {"b": 1}, "a.b": 5},
        {"a": [5], "a[0]": 5},
        {"a": "fine", "a.b": 5},
        dict.fromkeys(AWKWARD_KEYS, 5),
    ],
)
def test_pointers_are_not_confused_by_lookalikes(params: dict[str, Any]) -> None:
    """A key that looks like a path of two keys is not mistaken for one."""
    bad = [key for key, value in params.items() if not isinstance(value, str)]
    expected = sorted(
        ("/data/utm_params/" + key.replace("~", "~0").replace("/", "~1"), "type") for key in bad
    )
    payload = make_payload(utm_params=params)
    assert found_in(lambda: validate_unisights_payload(payload)) == expected


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"time_on_page": float("nan")}, ["/data/time_on_page"]),
        ({"scroll_depth": float("inf")}, ["/data/scroll_depth"]),
        (
            {"events": [click(x=float("-inf"), y=float("nan"))]},
            ["/data/events/0/data/x", "/data/events/0/data/y"],
        ),
        ({"time_on_page": 10**400}, ["/data/time_on_page"]),
        ({"time_on_page": Decimal("NaN")}, ["/data/time_on_page"]),
        ({"time_on_page": Decimal("sNaN")}, ["/data/time_on_page"]),
        ({"time_on_page": Decimal("1e400")}, ["/data/time_on_page"]),
        ({"unknown/key": [float("nan")]}, ["/data/unknown~1key/0"]),
    ],
)
def test_numbers_that_json_has_not_are_refused(
    changes: dict[str, Any], pointers: list[str]
) -> None:
    """NaN, infinities and numbers beyond a double's range are named, all of them."""
    payload = make_payload(**changes)
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload(payload)
    found = caught.value.problems
    assert [(p.pointer, p.rule) for p in found] == [(pointer, "json") for pointer in pointers]
    assert all(p.message.endswith(" must be a number that JSON can hold") for p in found)


def test_decimals_are_numbers() -> None:
    """An object parsed with Decimals is validated and typed as one parsed with floats."""
    text = json.dumps(make_payload(time_on_page=1.5, events=[click(x=0.5, timestamp=3.25)]))
    exact = json.loads(text, parse_float=Decimal)
    payload = validate_unisights_payload(exact)
    assert payload == validate_unisights_payload(json.loads(text))
    assert type(payload.data.time_on_page) is float


def test_tuples_are_arrays() -> None:
    """An object put together in Python may hold tuples where JSON has arrays."""
    payload = make_payload(events=(click(), click()))
    assert len(validate_unisights_payload(payload).data.events) == 2
    assert found_in(lambda: validate_unisights_payload(make_payload(events=(click(), 5)))) == [
        ("/data/events/1", "type")
    ]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, 1j, range(3)], ids=repr)
def test_values_that_no_json_has_are_refused(value: object) -> None:
    """Python objects that JSON has not are of the wrong type wherever a type is demanded."""
    for name in ("asset_id", "scroll_depth", "events", "utm_params"):
        payload = make_payload(**{name: value})
        found = found_in(lambda payload=payload: validate_unisights_payload(payload))
        assert found == [(f"/data/{name}", "type")]


def test_the_callers_object_is_not_changed() -> None:
    """Validation leaves the object as it was, and the payload shares no container with it."""
    sent = make_payload(
        scroll_depth=250, utm_params={"utm_id": "x"}, events=[click(timestamp=3.7)], note="\ud83d"
    )
    before = copy.deepcopy(sent)
    payload = validate_unisights_payload(sent)
    assert sent == before
    sent["data"]["utm_params"].clear()
    sent["data"]["events"].clear()
    assert payload.data.utm_params.extra == {"utm_id": "x"}
    assert len(payload.data.events) == 1


def test_an_invalid_object_is_not_changed() -> None:
    """Refusing an object leaves it as it was too."""
    sent = make_payload(scroll_depth=-1, events=[click(x=None)])
    before = copy.deepcopy(sent)
    assert found_in(lambda: validate_unisights_payload(sent))
    assert sent == before


@pytest.mark.parametrize(
    ("sent", "typed"),
    [("1.0", 1), ("1e2", 100), ("-0.0", 0), ("9007199254740991.0", 2**53 - 1)],
)
def test_a_whole_number_may_be_written_as_a_float(sent: str, typed: int) -> None:
    """`1.0` is an integer by the schema, and decodes to an int."""
    body = make_body(events=[vital(entries=7777)]).replace(b"7777", sent.encode())
    (event,) = decode_unisights_payload(body).data.events
    assert event.data.entries == typed
    assert type(event.data.entries) is int


@pytest.mark.parametrize("sent", ["1", "0.1", "123456789012345678901234567890", "1e22", "5e-324"])
def test_numbers_keep_their_value(sent: str) -> None:
    """Whatever number a coordinate is, the typed one is the double nearest to it."""
    body = make_body(events=[click(x=7777)]).replace(b"7777", sent.encode())
    for whole in (body, body.replace(b'"timestamp": 3', b'"timestamp": 3.0')):
        (event,) = decode_unisights_payload(whole).data.events
        assert event.data.x == float(sent)
        assert type(event.data.x) is float


@pytest.mark.parametrize("number", [b"1", b"1.0"], ids=["fast", "slow"])
def test_of_duplicate_keys_the_last_counts(number: bytes) -> None:
    """A key that is written twice has its last value, as with every JSON parser in use."""
    body = make_body(scroll_depth=7777).replace(
        b'"scroll_depth": 7777',
        b'"scroll_depth": 5, "utm_params": {"a": "1", "a": "2"}, "scroll_depth": 6, '
        b'"device_info": {"screen_width": ' + number + b"}",
    )
    data = decode_unisights_payload(body).data
    assert (data.scroll_depth, data.utm_params.extra) == (6.0, {"a": "2"})


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "click", "type": "error", "data": {"message": "m", "timestamp": 1}}',
        '{"type": "error", "type": "click", "data": {"message": "m", "timestamp": 1}}',
        '{"data": {"x": 1, "y": 2, "timestamp": 1}, "type": "error", "type": "click"}',
        '{"type": "click", "data": 5, "data": {"x": 1, "y": 2, "timestamp": 1}}',
        '{"type": "click", "data": {"x": 1, "y": 2, "timestamp": 1}, "data": 5}',
    ],
)
def test_duplicate_keys_deceive_nobody(text: str) -> None:
    """An event that is written with a key twice is validated by what an ordinary parser reads."""
    body = make_body(events=["EVENT"]).replace(b'"EVENT"', text.encode())
    by_object = found_in(lambda: validate_unisights_payload(json.loads(body)))
    assert found_in(lambda: decode_unisights_payload(body)) == by_object
    if not by_object:
        assert decode_unisights_payload(body) == validate_unisights_payload(json.loads(body))


@pytest.mark.parametrize(
    ("escaped", "kept"),
    [
        (r"a\ud83db", "a\ufffdb"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
    ],
)
def test_lone_surrogates_become_replacement_characters(escaped: str, kept: str) -> None:
    """A lone surrogate, legal in JSON but in no UTF-8, becomes U+FFFD; pairs are kept."""
    body = make_body(
        asset_id="HERE", utm_params={"HERE": "HERE"}, events=[custom(name="HERE")]
    ).replace(b"HERE", escaped.encode())
    payload = decode_unisights_payload(body)
    assert payload.data.asset_id == kept
    assert payload.data.utm_params.extra == {kept: kept}
    assert payload.data.events[0].data.name == kept
    assert validate_unisights_payload(json.loads(body)) == payload
    json.dumps(payload.to_dict(), ensure_ascii=False).encode()


def test_custom_data_keeps_its_own_escapes() -> None:
    """JSON text inside a custom event's string is not looked into: its escapes stay."""
    text = r'{"k\ud83d": "v \udc00", "__proto__": null}'
    (event,) = decoded(events(custom(data=text))).data.events
    assert event.data.data == text


def test_nul_is_kept() -> None:
    """U+0000 is a character like others, in values and in keys."""
    payload = decoded(make_payload(utm_params={"utm_source": "\x00x", "\x00": "\x00"}))
    assert payload.data.utm_params.utm_source == "\x00x"
    assert payload.data.utm_params.extra == {"\x00": "\x00"}


def test_a_byte_order_mark_is_ignored() -> None:
    """UTF-8 with a byte order mark decodes as without one."""
    assert decode_unisights_payload(b"\xef\xbb\xbf" + make_body()) == decoded(make_payload())


def test_space_around_the_body_is_ignored() -> None:
    """White space before and after the JSON text makes no difference."""
    assert decode_unisights_payload(b" \r\n\t" + make_body() + b"\n ") == decoded(make_payload())


NOT_JSON = {
    "empty": b"",
    "blank": b" \n",
    "byte order mark alone": b"\xef\xbb\xbf",
    "text": b"hello",
    "truncated": make_body()[:-1],
    "trailing": make_body() + b"}",
    "two": make_body() * 2,
    "single quotes": b"{'data': 1}",
    "comment": b"/**/" + make_body(),
    "trailing comma": make_body()[:-1] + b",}",
    "control character": make_body(asset_id="HERE").replace(b"HERE", b"a\nb"),
    "bad escape": make_body(asset_id="HERE").replace(b"HERE", rb"\x41"),
    "leading zero": make_body(scroll_depth=7777).replace(b"7777", b"01"),
    "hexadecimal": make_body(scroll_depth=7777).replace(b"7777", b"0x1"),
    "NaN": make_body(scroll_depth=7777).replace(b"7777", b"NaN"),
    "Infinity": make_body(scroll_depth=7777).replace(b"7777", b"Infinity"),
    "-Infinity": make_body(scroll_depth=7777).replace(b"7777", b"-Infinity"),
    "beyond a double": make_body(scroll_depth=7777).replace(b"7777", b"1e400"),
    "beyond a double, negative": make_body(scroll_depth=7777).replace(b"7777", b"-1e400"),
    "beyond a double, for a type": make_body(events=[{"type": 7777}]).replace(b"7777", b"1e400"),
    "5,000 digits": make_body(scroll_depth=7777).replace(b"7777", b"9" * 5000),
    "a megabyte of digits": make_body(scroll_depth=7777).replace(b"7777", b"9" * MEBIBYTE),
    "5,000 digits for an integer": make_body(events=[vital(entries=7777)]).replace(
        b"7777", b"9" * 5000
    ),
    "UTF-16": make_body().decode().encode("utf-16"),
    "UTF-16 without mark": make_body().decode().encode("utf-16-le"),
    "UTF-32": make_body().decode().encode("utf-32"),
    "Latin-1": make_body(asset_id="HERE").replace(b"HERE", b"gr\xfc\xdfe"),
    "overlong": make_body(asset_id="HERE").replace(b"HERE", b"\xc0\xaf"),
    "encoded surrogate": make_body(asset_id="HERE").replace(b"HERE", b"\xed\xa0\xbd"),
    "NaN in an unknown property": make_body(note=7777).replace(b"7777", b"NaN"),
    "Latin-1 in an unknown property": make_body(note="HERE").replace(b"HERE", b"gr\xfc\xdfe"),
    "Latin-1 in an unknown key": make_body(HERE=1).replace(b"HERE", b"gr\xfc\xdfe"),
    "bad escape in an unknown property": make_body(note="HERE").replace(b"HERE", rb"\x41"),
    "deep array": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "closed deep array": b"[" * 100_000 + b"]" * 100_000,
    "deep unknown property": make_body(note=7777).replace(b"7777", b"[" * 100_000 + b"]" * 100_000),
    "deep after a float": make_body(events=[vital(entries=1.0)], note=7777).replace(
        b"7777", b"[" * 100_000 + b"]" * 100_000
    ),
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_refused_as_such(body: bytes) -> None:
    """Bytes that are no JSON, or none that can be held, raise InvalidJSONError alone."""
    with pytest.raises(InvalidJSONError) as caught:
        decode_unisights_payload(body)
    assert not isinstance(caught.value, ValidationError)
    assert 0 < len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "the body is empty"),
        ("blank", "the body is empty"),
        ("NaN", "the body is not JSON: NaN is not a JSON value"),
        ("beyond a double", "the body holds a number that is out of range"),
        ("5,000 digits", "the body holds a number that is out of range"),
        ("deep array", "the body is nested too deeply"),
    ],
)
def test_what_is_not_json_is_told_why(name: str, message: str) -> None:
    """The error says what is wrong with the body, and where."""
    with pytest.raises(InvalidJSONError) as caught:
        decode_unisights_payload(NOT_JSON[name])
    assert str(caught.value) == message


def test_places_in_what_is_not_json_are_counted_from_1() -> None:
    """A syntax error is placed by line and column, bytes that are not UTF-8 by their offset."""
    for body, place in ((b'{\n  "a": x}', "at line 2, column 8"), (b"ab\xff", "UTF-8: byte 2")):
        with pytest.raises(InvalidJSONError) as caught:
            decode_unisights_payload(body)
        assert str(caught.value).endswith(place)


def test_deep_objects_are_refused() -> None:
    """An object that is nested too deeply to walk is refused, without a RecursionError."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValidationError) as caught:
        validate_unisights_payload(make_payload(note=deep))
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.rule) == ("", "json")
    assert problem.message == "the object is nested too deeply"


@pytest.mark.parametrize("sealed", [False, True])
def test_a_number_that_nobody_reads_hides_no_problem(*, sealed: bool) -> None:
    """Beside a number beyond doubles, others are validated as ever; unchecked, they are refused."""
    data = make_data(note=7777, time_on_page=2.5, events=[click(x=5)], scroll_depth=-5)
    plain = json.dumps(data if sealed else {"data": data}).encode().replace(b"7777", b"1e400")
    body = json.dumps(seal(plain)).encode() if sealed else plain
    assert found_in(lambda: decode_unisights_payload(body)) == [("/data/scroll_depth", "minimum")]
    unchecked = plain.replace(b"-5", b'"far"')
    body = json.dumps(seal(unchecked)).encode() if sealed else unchecked
    with pytest.raises(UnisightsError, match="a number that is out of range"):
        decode_unisights_payload(body, checks=Checks(values=False))


@pytest.mark.parametrize(
    ("number", "is_held"),
    [
        ("1e308", True),
        ("1" + "0" * 308, True),
        ("17976931348623158079" + "0" * 289, True),  # rounded down
        ("17976931348623159" + "0" * 292, False),  # rounded up, to infinity
        ("1e309", False),
        ("9" * 5000, False),
        ("-" + "9" * 310, False),
    ],
)
def test_what_doubles_hold_is_exact(number: str, is_held: bool) -> None:
    """A number that is rounded to a finite one is a value; one that is not is no JSON to us."""
    body = make_body(events=[click(x=7777, timestamp=10**20)]).replace(b"7777", number.encode())
    if is_held:
        assert abs(decode_unisights_payload(body).data.events[0].data.x) == abs(float(number))
    else:
        with pytest.raises(InvalidJSONError, match="out of range"):
            decode_unisights_payload(body)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
@pytest.mark.parametrize("timestamp", [1, 1.0, 1e20])
def test_dense_bodies_that_are_valid_are_taken(start: bytes, timestamp: float) -> None:
    """However many arrays there are in what is not read, and whichever decoder takes the body."""
    body = start + make_body(events=[click(timestamp=timestamp)], heatmap=[[1, 2]] * 5000)
    payload = decode_unisights_payload(body)
    assert payload.raw == body
    assert payload.data.events[0].data.timestamp == min(timestamp, 2**53 - 1)


def test_dense_bodies_are_taken_where_rules_are_off() -> None:
    """What options allow is not refused for its arrays, nor for large numbers nobody reads."""
    dense = make_body(events=[click(x="left")], heatmap=[[1, 2]] * 5000)
    payload = decode_unisights_payload(dense, checks=Checks(values=False))
    assert payload.data.events[0].data.x == "left"
    lacking = make_body(heatmap=[[1, 2]] * 5000).replace(b'"page_url"', b'"pageurl"')
    assert decode_unisights_payload(lacking, checks=Checks(required=False)).data.page_url is None


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "9" * 5000, "1" + "0" * 308, "0." + "1" * 500]
)
def test_numbers_in_unknown_properties_do_not_decide(number: str) -> None:
    """The result on a number that nothing reads does not depend on the rest of the payload."""
    results = set()
    for width in (1, 1.0):
        body = make_body(note=7777, device_info={"screen_width": width})
        try:
            decode_unisights_payload(body.replace(b"7777", number.encode()))
        except UnisightsError as refusal:
            results.add(type(refusal).__name__)
        else:
            results.add("taken")
    assert len(results) == 1


def test_raw_is_the_body() -> None:
    """A decoded payload keeps the bytes it came as; one from an object has none."""
    body = b" " + make_body(events=[click(timestamp=3.0)], note="é") + b"\n"
    assert decode_unisights_payload(body).raw == body
    sealed = json.dumps(seal(json.dumps(make_data()).encode())).encode()
    assert decode_unisights_payload(sealed).raw == sealed
    assert validate_unisights_payload(make_payload()).raw == b""


HOSTILE = {
    "events without a type": make_body(events=[{"name": ""}] * 75_000),
    "null events": make_body(events=[None] * 170_000),
    "clicks without data": make_body(events=[{"type": "click", "data": {}}] * 30_000),
    "unknown events": make_body(events=[{"type": "x"}] * 65_000),
    "bad utm values": make_body(utm_params={f"k{index}": 0 for index in range(100_000)}),
    "last event bad": make_body(events=[*[click()] * 19_000, None]),
    "long unknown type": make_body(events=[{"type": "x" * MEBIBYTE}]),
    "long bad key": make_body(utm_params={"k" * MEBIBYTE: 0}),
    "long bad page": make_body(page_url="x" * MEBIBYTE),
    "long page with a space": make_body(page_url="https://" + "x" * MEBIBYTE + " "),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_input_is_answered_in_bounds(body: bytes) -> None:
    """What is bad a thousandfold is refused with a list that is bounded in number and length."""
    with pytest.raises(ValidationError) as caught:
        decode_unisights_payload(body)
    assert 1 <= len(caught.value.problems) <= MOST_PROBLEMS
    text = sum(len(p.message) + len(p.pointer) for p in caught.value.problems)
    assert text < 4 * len(body)


def test_a_thousand_problems_are_listed() -> None:
    """Beyond a thousand problems, the first thousand are listed, in the batch's order."""
    with pytest.raises(ValidationError) as caught:
        decoded(make_payload(events=[click(x=None)] * 1500))
    pointers = [p.pointer for p in caught.value.problems]
    assert pointers == [f"/data/events/{i}/data/x" for i in range(MOST_PROBLEMS)]


def test_a_thousand_missing_properties_are_listed() -> None:
    """Objects that lack several properties each are no way around the bound."""
    with pytest.raises(ValidationError) as caught:
        decoded(make_payload(events=[{"type": "click", "data": {}}] * 400))
    assert len(caught.value.problems) == MOST_PROBLEMS


def test_unread_values_can_be_passed() -> None:
    """Without the rules on values, types and bounds are not enforced, presence still is."""
    checks = Checks(values=False)
    payload = make_payload(
        session_id=5,
        page_url="not a url",
        entry_page=7,
        scroll_depth="far",
        device_info={"screen_width": None},
        utm_params={"utm_source": 5, "utm_id": None},
        events=[click(x="1", timestamp=-1), vital(rating="bad", entries="2"), error(lineno="1")],
    )
    data = decoded(payload, checks).data
    assert (data.session_id, data.page_url, data.entry_page) == (5, "not a url", 7)
    assert (data.scroll_depth, data.device_info.screen_width) == ("far", None)
    assert (data.utm_params.utm_source, data.utm_params.extra) == (5, {"utm_id": None})
    assert [event.type for event in data.events] == ["click", "web_vital", "error"]
    assert (data.events[0].data.x, data.events[0].data.timestamp) == ("1", -1)
    del payload["data"]["asset_id"]
    del payload["data"]["events"][0]["data"]["y"]
    assert found_in(lambda: decoded(payload, checks)) == [
        ("/data", "required"),
        ("/data/events/0/data", "required"),
    ]


@pytest.mark.parametrize("name", ["entry_page", "exit_page"])
def test_nullable_values_can_be_passed_unread(name: str) -> None:
    """Without the rules on values, a value that may be null or text may be anything."""
    data = decoded(make_payload(**{name: 5}), Checks(values=False)).data
    assert getattr(data, name) == 5


def test_required_properties_can_be_left_out() -> None:
    """Without the rule on required properties, what is missing is None or empty."""
    checks = Checks(required=False)
    data = decoded(
        {"data": {"events": [{"type": "click"}, {"type": "error", "data": {}}]}}, checks
    ).data
    assert (data.asset_id, data.session_id, data.page_url) == (None, None, None)
    assert (data.events[0].data.x, data.events[0].data.timestamp) == (None, None)
    assert data.events[1].data.message is None
    assert decoded({}, checks).data.events == []
    assert found_in(lambda: decoded(make_payload(scroll_depth=-1), checks)) == [
        ("/data/scroll_depth", "minimum")
    ]


@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ([], ("", "type")),
        ({"data": []}, ("/data", "type")),
        (make_payload(events={}), ("/data/events", "type")),
        (make_payload(utm_params="x"), ("/data/utm_params", "type")),
        (make_payload(device_info=None), ("/data/device_info", "type")),
        (events(5), ("/data/events/0", "type")),
        (events({"type": "hover", "data": {}}), ("/data/events/0/type", "enum")),
        (events({"type": "click", "data": []}), ("/data/events/0/data", "type")),
    ],
)
def test_shape_is_always_checked(
    obj: Any, expected: tuple[str, str], *, values: bool, required: bool
) -> None:
    """Objects and arrays must be where they belong, events of known types, come what may."""
    checks = Checks(values=values, required=required)
    assert found_in(lambda: decoded(obj, checks)) == [expected]


@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("required", [False, True])
def test_an_event_must_say_its_type(*, values: bool, required: bool) -> None:
    """An event without a type is refused, come what may: nothing can be built from it."""
    checks = Checks(values=values, required=required)
    found = found_in(lambda: decoded(events({"data": {}}), checks))
    assert [pointer for pointer, _ in found] == ["/data/events/0"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"device_info": "x"}, ("/data/device_info", "type")),
        ({"events": "abc"}, ("/data/events", "type")),
    ],
)
def test_passed_values_do_not_hide_a_wrong_shape(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    """However many values go unread, a wrong shape behind them is still refused."""
    flood = {f"k{index}": 0 for index in range(MOST_PROBLEMS + 1)}
    payload = make_payload(utm_params=flood, **changes)
    assert found_in(lambda: decoded(payload, Checks(values=False))) == [expected]


def test_checks_reach_into_encrypted_payloads() -> None:
    """What is decrypted is held to the same rules; the envelope always to all of them."""
    checks = Checks(values=False, required=False)
    plaintext = json.dumps(make_data(scroll_depth="far")).encode()
    assert decoded(seal(plaintext), checks).data.scroll_depth == "far"
    assert found_in(lambda: decoded(seal(plaintext))) == [("/data/scroll_depth", "type")]
    unread = json.dumps(make_data(note=7777)).encode().replace(b"7777", b"1e400")
    assert decoded(seal(unread), checks).data.asset_id == SITE_ID
    unchecked = json.dumps(make_data(note=7777, scroll_depth="far")).encode()
    huge = unchecked.replace(b"7777", b"1e400")
    assert found_in(lambda: decoded(seal(huge), checks)) == [("/data", "json")]
    broken = {**seal(plaintext), "bucket": "1"}
    assert found_in(lambda: decoded(broken, checks)) == [("/bucket", "type")]


def test_a_part_can_be_validated_alone() -> None:
    """`from_dict` takes a part of a payload; its problems' pointers are relative to the part."""
    assert ClickEventData.from_dict({"x": 1, "y": 2, "timestamp": 3}).x == 1.0
    assert found_in(lambda: ClickEventData.from_dict({"x": 1, "y": None})) == [
        ("", "required"),
        ("/y", "type"),
    ]


@pytest.mark.parametrize("key", [None, 1, (1, 2)])
@pytest.mark.parametrize("place", ["root", "utm_params"])
def test_keys_that_json_has_not_are_refused(key: Any, place: str) -> None:
    """An object with keys that are no strings is no parsed JSON: the object is named."""
    payload: Any = make_payload(utm_params={})
    (payload if place == "root" else payload["data"]["utm_params"])[key] = "x"
    with pytest.raises(ValidationError) as refused:
        validate_unisights_payload(payload)
    (problem,) = refused.value.problems
    assert problem.rule == "json"
    pointer, words = (
        ("", "the payload") if place == "root" else ("/data/utm_params", "data.utm_params")
    )
    assert problem.pointer == pointer
    assert problem.message == f"{words} must have strings as its keys, as in JSON"


def test_problems_come_in_the_payloads_order() -> None:
    """Problems of properties that the schema does not name come as they were sent."""
    keys = [f"k{number * 7 % 50}" for number in range(50)]
    with pytest.raises(ValidationError) as refused:
        validate_unisights_payload(make_payload(utm_params=dict.fromkeys(keys, 5)))
    found = [problem.pointer.rpartition("/")[2] for problem in refused.value.problems]
    assert found == keys
