"""A changed schema: after generation, types, decoders and validators know what was added."""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codegen.__main__ import generate
from tests.support import ROOT, click, make_payload

IGNORED = shutil.ignore_patterns("__pycache__", "node_modules")

SCHEMA: dict[str, Any] = json.loads(
    (ROOT / "schema" / "unisights.schema.json").read_text(encoding="utf-8")
)

ABSENT = object()

PROBE = """
import dataclasses, json, sys
from fastapi import FastAPI
import unisights
from unisights import ValidationError, decode_unisights_payload, types, validate_unisights_payload
from unisights._decoding.generated import decoder, lenient
from unisights.fastapi import unisights_fastapi

def outcome_of(call, argument):
    try:
        return call(argument), []
    except ValidationError as error:
        return None, sorted([p.pointer, p.rule] for p in error.problems)
    except decoder.REFUSALS:
        return None, ["refused"]
    except Exception as error:
        return None, ["crashed", repr(error)]

def answer(obj):
    body = json.dumps(obj).encode()
    payload, problems = outcome_of(decode_unisights_payload, body)
    from_object, object_problems = outcome_of(validate_unisights_payload, obj)
    fast, _ = outcome_of(decoder.decode_UnisightsPayload, body)
    loose, _ = outcome_of(lenient.decode_UnisightsPayload, body)
    found = {
        "problems": problems,
        "object_problems": object_problems,
        "fast": fast is not None,
        "same": from_object == payload and fast in (None, loose) and loose in (None, payload),
    }
    if payload is not None:
        wire = payload.to_dict()
        back, _ = outcome_of(types.UnisightsPayload.from_dict, json.loads(json.dumps(wire)))
        found["data"] = dataclasses.asdict(payload.data)
        found["wire"] = wire["data"]
        found["round_trip"] = back == payload
    return found

app = FastAPI()
app.include_router(unisights_fastapi())
operation = app.openapi()["paths"]["/events"]["post"]
json.dump({
    "home": unisights.__file__,
    "digest": unisights.SCHEMA_DIGEST,
    "fields": {
        name: [f.name for f in dataclasses.fields(getattr(types, name))]
        for name in types.__all__
        if dataclasses.is_dataclass(getattr(types, name))
    },
    "event": [member.__name__ for member in types.UnisightsEvent.__args__],
    "openapi": operation["requestBody"]["content"]["application/json"]["schema"],
    "answers": [answer(obj) for obj in json.load(sys.stdin)],
}, sys.stdout)
"""
"""Runs where the generated package is the one that is imported; validates payloads."""


def generated_from(root: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Copy the tree, change its schema, and generate there."""
    for name in ("schema", "unisights"):
        shutil.copytree(ROOT / name, root / name, ignore=IGNORED)
    document = copy.deepcopy(SCHEMA)
    edit(document)
    path = root / "schema" / "unisights.schema.json"
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    assert generate(path, root, check=False) == 0
    return root


def probe(root: Path, *payloads: dict[str, Any]) -> Any:
    """What the package that was generated in a tree makes of payloads, and how it looks."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        input=json.dumps(payloads),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert Path(found["home"]).is_relative_to(root)
    return found


@dataclass(frozen=True)
class Place:
    """Where a property is added: in which definition, and which part of a payload that is."""

    definition: str
    path: tuple[str | int, ...]

    @property
    def pointer(self) -> str:
        """The place in a payload, as a JSON Pointer."""
        return "".join(f"/{key}" for key in ("data", *self.path))

    def part_of(self, data: Any) -> Any:
        """The part of a session's data that is at the place."""
        for key in self.path:
            data = data[key]
        return data

    def payload(self, name: str, value: Any) -> dict[str, Any]:
        """A payload with the property set there, or without it."""
        payload = make_payload(device_info={}, events=[click()])
        if value is not ABSENT:
            self.part_of(payload["data"])[name] = value
        return payload


PLACES = [
    Place("UnisightsData", ()),
    Place("DeviceInfo", ("device_info",)),
    Place("ClickEvent", ("events", 0)),
    Place("ClickEventData", ("events", 0, "data")),
]


@dataclass(frozen=True)
class Kind:
    """A kind of property: its schema, what it decodes to, and what it refuses.

    Attributes:
        sent: valid values, and what each decodes to.
        absent: what it decodes to when absent.
        refused: invalid values, and the place below it and rule that each breaks.
    """

    schema: dict[str, Any]
    sent: list[tuple[Any, Any]]
    absent: Any
    refused: list[tuple[Any, str, str]]


WHOLE = {"integer": True, "maximum": 9007199254740991}

DEFAULTED = {
    "text": Kind(
        {"type": "string", "default": "none", "maxLength": 5},
        [("abc", "abc"), ("", "")],
        "none",
        [(5, "", "type"), ("too long", "", "maxLength"), (None, "", "type")],
    ),
    "choice": Kind(
        {"type": "string", "enum": ["a", "b"], "default": "b"},
        [("a", "a")],
        "b",
        [("c", "", "enum")],
    ),
    "count": Kind(
        {"type": ["integer", "null"], "default": None, "minimum": 0, "maximum": 10},
        [(3, 3), (None, None)],
        None,
        [(-1, "", "minimum"), (11, "", "maximum"), ("3", "", "type"), (True, "", "type")],
    ),
    "note": Kind({"type": ["string", "null"]}, [("x", "x"), (None, None)], None, [(1, "", "type")]),
    "flag": Kind(
        {"type": "boolean", "default": True},
        [(False, False), (True, True)],
        True,
        [(1, "", "type"), ("true", "", "type"), (None, "", "type")],
    ),
    "ratio": Kind(
        {"type": "number", "minimum": 0, "maximum": 9, "default": 0, "x-decode": {"maximum": 1}},
        [(0.5, 0.5), (2.5, 1.0), (1, 1.0)],
        0.0,
        [(-1, "", "minimum"), (9.5, "", "maximum"), ("1", "", "type"), (None, "", "type")],
    ),
    "moment": Kind(
        {"type": "number", "minimum": 0, "default": 0, "x-decode": WHOLE},
        [(7, 7)],
        0,
        [(-1, "", "minimum"), (False, "", "type"), (None, "", "type")],
    ),
    "since": Kind(
        {"$ref": "#/definitions/Timestamp", "default": 0},
        [(7, 7)],
        0,
        [(-1, "", "minimum"), (None, "", "type")],
    ),
    "whole": Kind(
        {"type": "integer", "default": 3}, [(0, 0)], 3, [(0.5, "", "type"), (None, "", "type")]
    ),
}
"""Optional properties that decode to a default, or to None because null is valid."""

ARRAYS = {
    "labels": Kind(
        {"type": "array", "items": {"type": "string", "minLength": 1}, "default": []},
        [(["a", "b"], ["a", "b"]), ([], [])],
        [],
        [
            (["a", 5], "/1", "type"),
            (["a", ""], "/1", "minLength"),
            (["a", None], "/1", "type"),
            ("a", "", "type"),
            (None, "", "type"),
        ],
    ),
    "counts": Kind(
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "default": []},
        [([1, 2], [1, 2])],
        [],
        [([1, 0], "/1", "minimum"), ([1.5], "/0", "type"), ([True], "/0", "type")],
    ),
    "choices": Kind(
        {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "default": []},
        [(["a", "b", "a"], ["a", "b", "a"])],
        [],
        [(["a", "c"], "/1", "enum")],
    ),
    "gaps": Kind(
        {"type": "array", "items": {"type": ["number", "null"], "minimum": 0}, "default": []},
        [([0.5, None], [0.5, None])],
        [],
        [([None, -1], "/1", "minimum"), (["1"], "/0", "type")],
    ),
}
"""Arrays that are empty by default, and what holds for their items."""

CHANGES = {"defaulted": DEFAULTED, "arrays": ARRAYS}

CASES = [
    pytest.param(change, place, name, id=f"{change}-{place.definition}-{name}")
    for change, kinds in CHANGES.items()
    for place in PLACES
    for name in kinds
]


def added_name(name: str) -> str:
    """A property's name, apart from those that the schema has."""
    return f"added_{name}"


class Answers:
    """What a changed package makes of every case."""

    def __init__(self, root: Path, kinds: dict[str, Kind]) -> None:
        def edit(document: dict[str, Any]) -> None:
            for place in PLACES:
                properties = document["definitions"][place.definition]["properties"]
                for name, kind in kinds.items():
                    properties[added_name(name)] = {"description": "Added.", **kind.schema}

        cases = [
            (place, name, value)
            for place in PLACES
            for name, kind in kinds.items()
            for value in [
                ABSENT,
                *(sent for sent, _ in kind.sent),
                *(refused for refused, _, _ in kind.refused),
            ]
        ]
        payloads = [place.payload(added_name(name), value) for place, name, value in cases]
        self.found = probe(generated_from(root, edit), *payloads)
        self._answers = {
            self._key(*case): answer
            for case, answer in zip(cases, self.found["answers"], strict=True)
        }

    def of(self, place: Place, name: str, value: Any) -> Any:
        """The answer to a payload with the property set to a value."""
        return self._answers[self._key(place, name, value)]

    def _key(self, place: Place, name: str, value: Any) -> tuple[str, str, str]:
        return place.definition, name, "absent" if value is ABSENT else json.dumps(value)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answers]:
    """The answers of a package for each change."""
    return {
        change: Answers(tmp_path_factory.mktemp(change), kinds) for change, kinds in CHANGES.items()
    }


@pytest.mark.parametrize(("change", "place", "name"), CASES)
def test_the_dataclass_has_the_property(
    answers: dict[str, Answers], change: str, place: Place, name: str
) -> None:
    """A property that was added to the schema is an attribute of the type."""
    assert added_name(name) in answers[change].found["fields"][place.definition]


@pytest.mark.parametrize(("change", "place", "name"), CASES)
def test_the_property_is_decoded(
    answers: dict[str, Answers], change: str, place: Place, name: str
) -> None:
    """Its values are decoded by the fast path, and alike by the slow one."""
    for sent, typed in CHANGES[change][name].sent:
        answer = answers[change].of(place, name, sent)
        assert (answer["problems"], answer["object_problems"]) == ([], [])
        assert answer["fast"]
        assert answer["same"]
        value = place.part_of(answer["data"])[added_name(name)]
        assert value == typed
        assert type(value) is type(typed)


@pytest.mark.parametrize(("change", "place", "name"), CASES)
def test_the_absent_property_has_its_default(
    answers: dict[str, Answers], change: str, place: Place, name: str
) -> None:
    """Absent, it has the schema's default, or is None where there is none: on both paths."""
    answer = answers[change].of(place, name, ABSENT)
    expected = CHANGES[change][name].absent
    value = place.part_of(answer["data"])[added_name(name)]
    assert value == expected
    assert type(value) is type(expected)
    assert answer["fast"]
    assert answer["same"]


@pytest.mark.parametrize(("change", "place", "name"), CASES)
def test_wrong_values_of_the_property_are_refused(
    answers: dict[str, Answers], change: str, place: Place, name: str
) -> None:
    """What its schema refuses is refused with its pointer and rule, by every implementation."""
    for value, below, rule in CHANGES[change][name].refused:
        answer = answers[change].of(place, name, value)
        assert not answer["fast"], f"the fast path takes {value!r}"
        expected = [[f"{place.pointer}/{added_name(name)}{below}", rule]]
        assert answer["problems"] == expected
        assert answer["object_problems"] == expected


@pytest.mark.parametrize(("change", "place", "name"), CASES)
def test_the_property_survives_the_round_trip(
    answers: dict[str, Answers], change: str, place: Place, name: str
) -> None:
    """`to_dict` writes its value, or its default, and comes back."""
    kind = CHANGES[change][name]
    for sent, typed in [(ABSENT, kind.absent), *kind.sent]:
        answer = answers[change].of(place, name, sent)
        assert answer["round_trip"]
        written = place.part_of(answer["wire"]).get(added_name(name), ABSENT)
        assert written == typed


@pytest.mark.parametrize("change", CHANGES)
def test_openapi_shows_the_properties(answers: dict[str, Answers], change: str) -> None:
    """The OpenAPI document of an app with the endpoint has the added properties, as they are."""
    plain = answers[change].found["openapi"]["oneOf"][0]["properties"]
    data = plain["data"]["properties"]
    (event,) = (
        member
        for member in data["events"]["items"]["oneOf"]
        if member["properties"]["type"]["const"] == "click"
    )
    shown = [
        data,
        data["device_info"]["properties"],
        event["properties"],
        event["properties"]["data"]["properties"],
    ]
    for name, kind in CHANGES[change].items():
        # FastAPI leaves out what is null.
        hidden = {"$ref", "x-decode"}
        wire = {k: v for k, v in kind.schema.items() if k not in hidden and v is not None}
        for properties in shown:
            assert properties[added_name(name)].items() >= {"description": "Added.", **wire}.items()


def test_a_change_changes_the_digest(answers: dict[str, Answers]) -> None:
    """The generated package knows that it was made from another schema."""
    digests = {found.found["digest"] for found in answers.values()}
    assert len(digests) == len(CHANGES)
    committed = (ROOT / "unisights" / "_schema" / "generated" / "contract.py").read_text(
        encoding="utf-8"
    )
    assert not [digest for digest in digests if digest in committed]


def test_an_event_type_can_be_added(tmp_path: Path) -> None:
    """A new member of the union is a type of its own, decoded, validated and documented."""

    def edit(document: dict[str, Any]) -> None:
        definitions = document["definitions"]
        definitions["UnisightsEvent"]["oneOf"].insert(2, {"$ref": "#/definitions/AddedEvent"})
        definitions["AddedEvent"] = {
            "title": "AddedEvent",
            "description": "The visitor scrolled.",
            "type": "object",
            "required": ["type", "data"],
            "properties": {
                "type": {"description": "Marks a scroll.", "const": "added"},
                "data": {"description": "How far.", "$ref": "#/definitions/AddedEventData"},
            },
        }
        definitions["AddedEventData"] = {
            "title": "AddedEventData",
            "description": "How far the visitor scrolled.",
            "type": "object",
            "required": ["depth", "timestamp"],
            "properties": {
                "depth": {"description": "How far.", "type": "number", "minimum": 0},
                "timestamp": {"$ref": "#/definitions/Timestamp"},
            },
        }

    root = generated_from(tmp_path, edit)
    scroll = {"type": "added", "data": {"depth": 0.5, "timestamp": 7}}
    bad = {"type": "added", "data": {"depth": -1, "timestamp": 7}}
    unknown = {"type": "hover", "data": {}}
    found = probe(
        root,
        make_payload(events=[click(), scroll, click()]),
        make_payload(events=[click(), bad, unknown]),
    )
    good, refused = found["answers"]
    assert "AddedEvent" in found["event"]
    assert found["fields"]["AddedEvent"] == ["type", "data"]
    assert (good["problems"], good["fast"], good["same"]) == ([], True, True)
    assert good["round_trip"]
    assert [event["type"] for event in good["data"]["events"]] == ["click", "added", "click"]
    assert good["data"]["events"][1]["data"] == {"depth": 0.5, "timestamp": 7}
    assert good["wire"]["events"][1] == scroll
    assert not refused["fast"]
    assert refused["problems"] == [
        ["/data/events/1/data/depth", "minimum"],
        ["/data/events/2/type", "enum"],
    ]
    assert '"const": "added"' in json.dumps(found["openapi"])


def test_an_event_type_can_be_removed(tmp_path: Path) -> None:
    """What is no longer a member of the union is refused as an unknown type."""

    def edit(document: dict[str, Any]) -> None:
        union = document["definitions"]["UnisightsEvent"]["oneOf"]
        union.remove({"$ref": "#/definitions/ClickEvent"})

    found = probe(generated_from(tmp_path, edit), make_payload(events=[click()]))
    assert "ClickEvent" not in found["event"]
    (answer,) = found["answers"]
    assert answer["problems"] == [["/data/events/0/type", "enum"]]
    assert not answer["fast"]


def test_an_object_can_be_added(tmp_path: Path) -> None:
    """A new definition is a new type: one, optional with a default, and in an array."""

    def edit(document: dict[str, Any]) -> None:
        definitions = document["definitions"]
        definitions["AddedGeo"] = {
            "title": "AddedGeo",
            "description": "Where the visitor is.",
            "type": "object",
            "required": ["country"],
            "properties": {
                "country": {"description": "The country.", "type": "string", "maxLength": 2},
                "city": {"description": "The city.", "type": ["string", "null"]},
            },
        }
        definitions["AddedScreen"] = {
            "title": "AddedScreen",
            "description": "A screen.",
            "type": "object",
            "properties": {
                "scale": {"description": "Its scale.", "type": "number", "default": 1},
            },
        }
        properties = definitions["UnisightsData"]["properties"]
        properties["added_screen"] = {
            "description": "The screen.",
            "$ref": "#/definitions/AddedScreen",
            "default": {},
        }
        properties["added_visits"] = {
            "description": "Where the visitor was.",
            "type": "array",
            "items": {"$ref": "#/definitions/AddedGeo"},
            "default": [],
        }

    visits = [{"country": "DE", "city": "Jena"}, {"country": "FR"}]
    found = probe(
        generated_from(tmp_path, edit),
        make_payload(),
        make_payload(added_screen={"scale": 2}, added_visits=visits),
        make_payload(
            added_screen={"scale": "2"}, added_visits=[*visits, {"country": "DEU"}, {}, None]
        ),
    )
    absent, present, refused = found["answers"]
    assert found["fields"]["AddedGeo"] == ["country", "city"]
    for answer in (absent, present):
        assert (answer["fast"], answer["same"], answer["round_trip"]) == (True, True, True)
    assert (absent["data"]["added_screen"], absent["data"]["added_visits"]) == ({"scale": 1.0}, [])
    assert present["data"]["added_screen"] == {"scale": 2.0}
    assert present["data"]["added_visits"] == [visits[0], {"country": "FR", "city": None}]
    assert present["wire"]["added_visits"] == [visits[0], {"country": "FR", "city": None}]
    assert not refused["fast"]
    assert refused["problems"] == refused["object_problems"]
    assert refused["problems"] == [
        ["/data/added_screen/scale", "type"],
        ["/data/added_visits/2/country", "maxLength"],
        ["/data/added_visits/3", "required"],
        ["/data/added_visits/4", "type"],
    ]


def test_required_and_bounds_can_be_changed(tmp_path: Path) -> None:
    """A property that becomes required, or a bound that moves, binds every implementation."""

    def edit(document: dict[str, Any]) -> None:
        data = document["definitions"]["UnisightsData"]
        data["required"].append("entry_page")
        data["properties"]["asset_id"] |= {"maxLength": 6, "examples": ["site-1"]}
        data["properties"]["scroll_depth"]["x-decode"] = {"maximum": 50}

    good, refused = probe(
        generated_from(tmp_path, edit),
        make_payload(entry_page=None, scroll_depth=80),
        make_payload(asset_id="too-long"),
    )["answers"]
    assert (good["problems"], good["fast"], good["same"]) == ([], True, True)
    assert good["data"]["scroll_depth"] == 50.0
    assert not refused["fast"]
    assert refused["problems"] == [["/data", "required"], ["/data/asset_id", "maxLength"]]
