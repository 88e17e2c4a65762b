"""The payload's types: dataclasses, complete in their defaults, there and back."""

import copy
import dataclasses
import json
import pickle
import typing
from typing import Any

import jsonschema
import msgspec
import orjson
import pydantic
import pytest

from codegen.model import build_model
from codegen.samples import sample_object
from codegen.schema import read_schema
from tests.processes import run_python
from tests.support import (
    CAPTURES,
    SESSION_ID,
    capture,
    click,
    make_body,
    make_data,
    make_payload,
)
from unisights import ValidationError, decode_unisights_payload, types
from unisights.schema import schema_text
from unisights.types import (
    ClickEvent,
    ClickEventData,
    CustomEvent,
    DeviceInfo,
    EncryptedEnvelope,
    EncryptedEnvelopePayload,
    EncryptedPayload,
    ErrorEvent,
    ErrorEventData,
    PageViewEvent,
    PageViewEventData,
    UnisightsData,
    UnisightsPayload,
    UtmParams,
    WebVitalEvent,
    WebVitalEventData,
)

SCHEMA: dict[str, Any] = json.loads(schema_text())

OBJECTS = [name for name, s in SCHEMA["definitions"].items() if s.get("type") == "object"]

CLICK = {"x": 1, "y": 2, "timestamp": 3}
ENVELOPE = {"site_id": "s", "bucket": 1, "tag": "AAAA", "ciphertext": "AAAA"}

MODEL = build_model(read_schema())

MINIMAL = {name: sample_object(MODEL, name) for name in OBJECTS}
"""For each type, an object with nothing but what the schema requires."""


def resolve(subschema: dict[str, Any]) -> dict[str, Any]:
    """Follow a `$ref`; what stands beside it takes precedence."""
    if "$ref" not in subschema:
        return subschema
    target = SCHEMA["definitions"][subschema["$ref"].removeprefix("#/definitions/")]
    return {**target, **subschema}


@pytest.mark.parametrize("name", OBJECTS)
def test_types_are_dataclasses(name: str) -> None:
    """Each definition is a dataclass to the standard library: with slots, keyword-only."""
    cls = getattr(types, name)
    assert name in types.__all__
    assert dataclasses.is_dataclass(cls)
    assert not hasattr(cls.from_dict(MINIMAL[name]), "__dict__")
    assert all(f.kw_only for f in dataclasses.fields(cls))
    with pytest.raises(TypeError):
        cls("positional")
    with pytest.raises(AttributeError):
        cls.from_dict(MINIMAL[name]).unknown = 1


@pytest.mark.parametrize("name", OBJECTS)
def test_what_works_on_dataclasses_works_on_types(name: str) -> None:
    """They can be copied, changed, pickled, compared and listed as any dataclass."""
    cls = getattr(types, name)
    one = cls.from_dict(MINIMAL[name])
    first, *_ = (f.name for f in dataclasses.fields(cls) if f.compare and f.init)
    for same in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert same == one
        assert same is not one
    assert dataclasses.replace(one) == one
    assert dataclasses.replace(one, **{first: "other"}) != one
    assert cls(**{f.name: getattr(one, f.name) for f in dataclasses.fields(cls) if f.init}) == one
    assert dataclasses.asdict(one).keys() == {f.name for f in dataclasses.fields(cls)}
    assert repr(one).startswith(f"{name}(")
    with pytest.raises(TypeError):
        hash(one)


@pytest.mark.parametrize("name", sorted(set(OBJECTS) - {"UnisightsPayload"}))
def test_libraries_see_dataclasses(name: str) -> None:
    """orjson, msgspec and pydantic write each type with all its attributes, and nothing else.

    The payload is left out: `raw` is no JSON. A copy from elsewhere is written as the original.
    """
    cls = getattr(types, name)
    one = cls.from_dict(MINIMAL[name])
    written = json.loads(json.dumps(dataclasses.asdict(one)))
    assert orjson.loads(orjson.dumps(one)) == written
    assert msgspec.json.decode(msgspec.json.encode(one)) == written
    assert msgspec.json.decode(msgspec.json.encode(pickle.loads(pickle.dumps(one)))) == written
    adapter = pydantic.TypeAdapter(cls)
    assert adapter.validate_python(one) is one
    assert adapter.dump_python(one, mode="json") == written
    assert adapter.validate_json(json.dumps(written)) == one
    assert adapter.json_schema()["type"] == "object"


EVENTS = [MINIMAL[event_class.__name__] for event_class in typing.get_args(types.UnisightsEvent)]


def test_pydantic_tells_events_apart() -> None:
    """Models, their JSON and their schemas may hold events; what the schema refuses, they do."""

    class Page(pydantic.BaseModel):
        first: types.UnisightsEvent
        events: list[types.UnisightsEvent]

    page = Page.model_validate({"first": EVENTS[0], "events": EVENTS})
    assert [event.to_dict()["type"] for event in page.events] == [e["type"] for e in EVENTS]
    written = page.model_dump_json()
    assert json.loads(written)["events"] == [event.to_dict() for event in page.events]
    assert Page.model_validate_json(written) == page
    assert "click" in json.dumps(Page.model_json_schema())
    with pytest.raises(pydantic.ValidationError, match="data must contain 'y'"):
        Page.model_validate({"first": {"type": "click", "data": {"x": 1}}, "events": []})


@pytest.mark.parametrize("event", EVENTS)
def test_the_type_of_an_event_is_its_class(event: dict[str, Any]) -> None:
    """An event's `type` is that of its class, and cannot be made another."""
    cls = type(decode_unisights_payload(make_body(events=[event])).data.events[0])
    assert cls.type == event["type"]
    with pytest.raises(AttributeError):
        cls.from_dict(event).type = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", OBJECTS)
def test_attributes_have_their_wire_names(name: str) -> None:
    """A type has the schema's properties as attributes, by the names they have on the wire."""
    hints = typing.get_type_hints(getattr(types, name))
    wire = {
        key
        for key, subschema in SCHEMA["definitions"][name]["properties"].items()
        if resolve(subschema).get("type") != "null"
    }
    received = {"raw", "received_at", "quarantined", "sent_bucket"}
    unwired = {"UnisightsPayload": received, "UtmParams": {"extra"}}
    assert hints.keys() == wire | unwired.get(name, set())


@pytest.mark.parametrize("name", OBJECTS)
def test_absent_properties_have_their_defaults(name: str) -> None:
    """What is absent decodes to the schema's default: None only where the schema says null."""
    built = getattr(types, name).from_dict(MINIMAL[name])
    for key, subschema in SCHEMA["definitions"][name]["properties"].items():
        wire = resolve(subschema)
        if "default" not in wire or wire.get("type") == "null":
            continue
        value = getattr(built, key)
        if wire.get("type") == "object":
            assert value == getattr(types, subschema["$ref"].rpartition("/")[2])()
        else:
            assert value == wire["default"]
        assert (value is None) == (wire["default"] is None)


@pytest.mark.parametrize("name", OBJECTS)
def test_constructors_and_decoders_share_defaults(name: str) -> None:
    """A type made by hand from its required values equals the decoded one."""
    cls = getattr(types, name)
    decoded = cls.from_dict(MINIMAL[name])
    required = {
        f.name: getattr(decoded, f.name)
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    assert cls(**required) == decoded


def test_handlers_read_without_thinking() -> None:
    """In a payload with nothing optional, nested attributes can be read all the same."""
    data = decode_unisights_payload(make_body()).data
    assert data.device_info.browser == ""
    assert data.device_info.screen_width == 0
    assert data.utm_params.utm_source == ""
    assert data.events == []
    assert (data.scroll_depth, data.time_on_page) == (0, 0)
    assert (data.entry_page, data.exit_page) == (None, None)


def test_mutable_defaults_are_not_shared() -> None:
    """Two payloads never share a default's object."""
    first, second = UtmParams(), UtmParams()
    first.extra["utm_id"] = "x"
    assert second.extra == {}
    one = UnisightsData(asset_id="a", session_id=SESSION_ID, page_url="https://e.com/", events=[])
    other = dataclasses.replace(one, device_info=DeviceInfo())
    one.device_info.os = "Linux"
    assert other.device_info.os == ""


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("PageViewEvent", "location"),
        ("ClickEvent", "x"),
        ("WebVitalEvent", "name"),
        ("CustomEvent", "data"),
        ("ErrorEvent", "message"),
    ],
)
def test_events_can_be_matched(name: str, key: str) -> None:
    """`match` tells events apart by class, and `type` names each."""
    event = MINIMAL[name]
    (decoded,) = decode_unisights_payload(make_body(events=[event])).data.events
    match decoded:
        case PageViewEvent(data=PageViewEventData(location=location)):
            found: Any = location
        case ClickEvent(data=ClickEventData(x=x)):
            found = x
        case WebVitalEvent(data=WebVitalEventData(name=vital)):
            found = vital
        case CustomEvent(data=custom):
            found = custom.data
        case ErrorEvent(data=ErrorEventData(message=message)):
            found = message
        case _:
            found = None
    assert found == event["data"][key]
    assert decoded.type == event["type"]


@pytest.mark.parametrize("name", OBJECTS)
def test_to_dict_is_the_wire_form(name: str) -> None:
    """`to_dict` is valid by the type's own definition, and `from_dict` brings back an equal."""
    cls = getattr(types, name)
    built = cls.from_dict(MINIMAL[name])
    wire = built.to_dict()
    referee = jsonschema.Draft7Validator(SCHEMA)
    referee.evolve(schema={"$ref": f"#/definitions/{name}"}).validate(wire)
    assert MINIMAL[name].keys() <= wire.keys()
    assert cls.from_dict(wire) == built


@pytest.mark.parametrize("name", CAPTURES)
def test_to_dict_is_ready_for_json(name: str) -> None:
    """`to_dict` of what the browser sent goes through JSON and back unchanged."""
    payload = decode_unisights_payload(capture(name))
    text = json.dumps(payload.to_dict(), allow_nan=False)
    text.encode()
    assert json.loads(text) == payload.to_dict()
    assert UnisightsPayload.from_dict(json.loads(text)) == payload
    assert UnisightsData.from_dict(payload.data.to_dict()) == payload.data


def test_to_dict_shares_nothing_with_the_payload() -> None:
    """Changing what `to_dict` returned leaves the payload as it was."""
    payload = UnisightsPayload.from_dict(make_payload(utm_params={"utm_id": "x"}, events=[click()]))
    wire = payload.to_dict()
    wire["data"]["events"].clear()
    wire["data"]["utm_params"].clear()
    assert len(payload.data.events) == 1
    assert payload.data.utm_params.extra == {"utm_id": "x"}


@pytest.mark.parametrize(
    ("cls", "obj", "expected"),
    [
        (ClickEventData, {"y": 1, "timestamp": 1}, ("", "required")),
        (ClickEventData, {"x": True, "y": 1, "timestamp": 1}, ("/x", "type")),
        (ClickEvent, {"type": "click", "data": {**CLICK, "y": "1"}}, ("/data/y", "type")),
        (ClickEvent, {"type": "custom", "data": CLICK}, ("/type", "const")),
        (UtmParams, {"utm_id": 5}, ("/utm_id", "type")),
        (DeviceInfo, {"screen_width": -1}, ("/screen_width", "minimum")),
        (UnisightsData, make_data(scroll_depth=-1), ("/scroll_depth", "minimum")),
        (UnisightsData, make_data(events=[{"type": "x"}]), ("/events/0/type", "enum")),
        (UnisightsPayload, {"data": make_data(asset_id="")}, ("/data/asset_id", "minLength")),
        (UnisightsPayload, {"data": make_data(), "encrypted": True}, ("/encrypted", "const")),
        (EncryptedEnvelope, {**ENVELOPE, "bucket": 0.5}, ("/bucket", "type")),
        (EncryptedPayload, {**MINIMAL["EncryptedPayload"], "tag": None}, ("/tag", "type")),
        (EncryptedEnvelopePayload, {"encrypted": True, "envelope": []}, ("/envelope", "type")),
        (ErrorEventData, [], ("", "type")),
        (ErrorEventData, None, ("", "type")),
    ],
)
def test_from_dict_validates(cls: Any, obj: Any, expected: tuple[str, str]) -> None:
    """`from_dict` refuses what the definition refuses, its pointers relative to the object."""
    with pytest.raises(ValidationError) as caught:
        cls.from_dict(obj)
    assert [(p.pointer, p.rule) for p in caught.value.problems] == [expected]


def test_from_dict_leaves_its_argument_alone() -> None:
    """`from_dict` neither changes the object it is given nor keeps parts of it."""
    obj = {"utm_source": "a", "utm_id": "b"}
    params = UtmParams.from_dict(obj)
    assert obj == {"utm_source": "a", "utm_id": "b"}
    obj["utm_id"] = "changed"
    assert params.extra == {"utm_id": "b"}


@pytest.mark.parametrize("number", [1, 1.0], ids=["fast", "slow"])
def test_open_utm_keys_survive(number: float) -> None:
    """UTM keys that the schema does not name are kept, and written again by `to_dict`."""
    sent = {"utm_source": "a", "utm_id": "7", "": "empty", "extra": "e", "k/~.[0]": "\x00\ufffd"}
    body = make_body(utm_params=sent, device_info={"screen_width": number})
    params = decode_unisights_payload(body).data.utm_params
    assert params.utm_source == "a"
    assert params.extra == {key: sent[key] for key in sent if key != "utm_source"}
    named = {f"utm_{name}": "" for name in ("source", "medium", "campaign", "term", "content")}
    assert params.to_dict() == {**named, **sent}
    assert UtmParams.from_dict(params.to_dict()) == params


@pytest.mark.parametrize("number", [1, 1.0], ids=["fast", "slow"])
@pytest.mark.parametrize(
    ("sent", "typed"),
    [(0, 0.0), (50, 50.0), (99.5, 99.5), (100, 100.0), (101.38, 100.0), (16666, 100.0)],
)
def test_scroll_depth_is_clamped(sent: float, typed: float, number: float) -> None:
    """More than 100 per cent is taken and clamped to 100; the rest is a float as it came."""
    body = make_body(scroll_depth=sent, device_info={"screen_width": number})
    depth = decode_unisights_payload(body).data.scroll_depth
    assert depth == typed
    assert type(depth) is float


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("1795366034371", 1795366034371),
        ("1795366034371.0", 1795366034371),
        ("1795366034371.9", 1795366034371),
        ("1.795366034371e12", 1795366034371),
        ("0", 0),
        ("-0.0", 0),
        ("9007199254740993", 2**53 - 1),
        ("1e300", 2**53 - 1),
        ("100000000000000000000000", 2**53 - 1),
    ],
)
def test_timestamps_are_whole(sent: str, typed: int) -> None:
    """A timestamp is an int, rounded down, and never beyond what a double holds exactly."""
    body = make_body(events=[click(timestamp=7777)]).replace(b"7777", sent.encode())
    (event,) = decode_unisights_payload(body).data.events
    assert event.data.timestamp == typed
    assert type(event.data.timestamp) is int


def test_what_the_receiver_adds_is_not_part_of_equality() -> None:
    """How, when, as which bytes and with what else it came makes no difference to equality."""
    data = UnisightsData.from_dict(make_data())
    plain = UnisightsPayload(data=data)
    received = UnisightsPayload(
        data=data, encrypted=True, raw=b"{}", received_at=5, sent_bucket=6, quarantined=(1,)
    )
    assert plain == received
    assert (plain.encrypted, plain.raw, plain.received_at) == (False, b"", 0)
    assert plain.sent_bucket is None
    assert plain.quarantined == ()
    other = UnisightsPayload(data=dataclasses.replace(data, asset_id="other"))
    assert plain != other


def test_what_the_receiver_adds_is_not_part_of_the_wire() -> None:
    """`to_dict` of a payload is its plain form, however it came."""
    data = UnisightsData.from_dict(make_data())
    received = UnisightsPayload(data=data, encrypted=True, raw=b"{}", received_at=5, sent_bucket=6)
    assert received.to_dict() == {"data": data.to_dict(), "encrypted": False}


def test_the_types_need_nothing_of_decoding() -> None:
    """`from_dict` validates and builds with what is beneath the types: no import goes back up."""
    code = (
        "import sys\n"
        "from unisights.types import ClickEvent\n"
        "print('unisights._schema.validation' in sys.modules)\n"
        f"ClickEvent.from_dict({click()!r})\n"
        "print([name for name in sys.modules if name.startswith('unisights._decoding')])\n"
    )
    finished = run_python(code)
    assert finished.stdout.splitlines() == ["False", "[]"], finished.stderr
