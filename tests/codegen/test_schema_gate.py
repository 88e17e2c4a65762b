"""The gate: a schema that some generator could not honour is refused, place and reason named."""

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codegen.__main__ import generate
from tests.support import ROOT

IGNORED = shutil.ignore_patterns("__pycache__", "node_modules")

SCHEMA_TEXT = (ROOT / "schema" / "unisights.schema.json").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads(SCHEMA_TEXT)

Edit = Callable[[dict[str, Any]], None]

AT = "#/definitions/UnisightsData/properties/added"


def adding(**subschema: Any) -> Edit:
    """Add an optional property to the session's data."""

    def edit(document: dict[str, Any]) -> None:
        added = {"description": "Added.", **subschema}
        document["definitions"]["UnisightsData"]["properties"]["added"] = added

    return edit


def setting(*path: str, to: Any) -> Edit:
    """Set a value at a place of the document; None removes what is there."""

    def edit(document: dict[str, Any]) -> None:
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        holder.pop(path[-1], None)
        if to is not None:
            holder[path[-1]] = to

    return edit


def defining(name: str, **properties: Any) -> Edit:
    """Add the definition of an object."""
    definition = {"description": "Added.", "type": "object", "properties": properties}
    return setting("definitions", name, to=definition)


def both(*edits: Edit) -> Edit:
    """Make several edits."""

    def edit(document: dict[str, Any]) -> None:
        for one in edits:
            one(document)

    return edit


TEXT = {"type": "string"}
DATA = ("definitions", "UnisightsData", "properties")
UNION = ("definitions", "UnisightsEvent", "oneOf")
EVENT = "#/definitions/UnisightsEvent/oneOf"
UTM = "#/definitions/UtmParams"

UNSUPPORTED = {
    "multipleOf": {"type": "number", "multipleOf": 2},
    "exclusiveMinimum": {"type": "number", "exclusiveMinimum": 0},
    "format": {"type": "string", "format": "uri"},
    "contentEncoding": {"type": "string", "contentEncoding": "base64"},
    "uniqueItems": {"type": "array", "items": TEXT, "uniqueItems": True},
    "minItems": {"type": "array", "items": TEXT, "minItems": 1},
    "maxItems": {"type": "array", "items": TEXT, "maxItems": 9},
    "anyOf": {"anyOf": [TEXT]},
    "allOf": {"allOf": [TEXT]},
    "not": {"type": "string", "not": {"const": ""}},
    "if": {"type": "string", "if": {}, "then": {}},
    "nullable": {"type": "string", "nullable": True},
    "minLength": {"type": "number", "minLength": 1},
    "minimum": {"type": "string", "minimum": 1},
    "x-unheard-of": {"type": "string", "x-unheard-of": 1},
}
"""Keywords that are unknown, or of another type than the subschema's."""

REFUSED: dict[str, tuple[Edit, str, str]] = {
    **{
        keyword: (adding(**subschema), f"{AT}/{keyword}", "keyword")
        for keyword, subschema in UNSUPPORTED.items()
    },
    "patternProperties": (
        setting("definitions", "DeviceInfo", "patternProperties", to={"^x_": TEXT}),
        "#/definitions/DeviceInfo/patternProperties",
        "keyword",
    ),
    "keyword beside $ref": (
        adding(**{"$ref": "#/definitions/Timestamp", "maximum": 5}),
        f"{AT}/maximum",
        "keyword",
    ),
    "keyword in items": (
        adding(type="array", items={"type": "string", "format": "uri"}),
        f"{AT}/items/format",
        "keyword",
    ),
    "keyword at the root": (setting("required", to=["data"]), "#/required", "keyword"),
    "keyword of additionalProperties": (
        setting("definitions", "UtmParams", "additionalProperties", "minLength", to=1),
        f"{UTM}/additionalProperties",
        "minLength",
    ),
    "no type": (adding(), AT, "type"),
    "two types": (adding(type=["string", "integer"]), f"{AT}/type", "one type"),
    "only null in a list": (adding(type=["null"]), f"{AT}/type", "one type"),
    "boolean schema": (setting(*DATA, "added", to=True), AT, "boolean"),
    "boolean definition": (
        setting("definitions", "Added", to=True),
        "#/definitions/Added",
        "boolean",
    ),
    "nullable array": (adding(type=["array", "null"], items=TEXT), f"{AT}/type", "nullable"),
    "array of anything": (adding(type="array"), AT, "items"),
    "tuple": (adding(type="array", items=[TEXT]), f"{AT}/items", ""),
    "number constant": (adding(const=1), f"{AT}/const", "string or a boolean"),
    "number in enum": (adding(type="string", enum=["a", 1]), f"{AT}/enum", "strings"),
    "nullable enum": (adding(type=["string", "null"], enum=["a"]), f"{AT}/enum", "nullable"),
    "unknown directive": (
        adding(type="number", **{"x-decode": {"round": True}}),
        f"{AT}/x-decode",
        "round",
    ),
    "directive that is no object": (
        adding(type="number", **{"x-decode": True}),
        f"{AT}/x-decode",
        "",
    ),
    "nullable clamp": (
        adding(type=["number", "null"], **{"x-decode": {"maximum": 1}}),
        AT,
        "clamp",
    ),
    # Bounds that a back end would not take.
    "fractional bound of integers": (
        adding(type="integer", maximum=10.5),
        f"{AT}/maximum",
        "whole",
    ),
    "float as a bound of integers": (
        adding(type="integer", maximum=10.0),
        f"{AT}/maximum",
        "whole",
    ),
    "huge bound of integers": (adding(type="integer", maximum=2**70), f"{AT}/maximum", "whole"),
    "fractional bound of rounded numbers": (
        adding(type="number", minimum=0.5, **{"x-decode": {"integer": True}}),
        f"{AT}/minimum",
        "whole",
    ),
    "fractional clamp of rounded numbers": (
        adding(type="number", **{"x-decode": {"integer": True, "maximum": 5.5}}),
        f"{AT}/x-decode/maximum",
        "whole",
    ),
    "array of arrays": (
        adding(type="array", items={"type": "array", "items": TEXT}),
        f"{AT}/items",
        "arrays of arrays",
    ),
    # Patterns.
    "class in a pattern": (adding(type="string", pattern=r"^\d"), f"{AT}/pattern", "dialects"),
    "$ in a pattern": (adding(type="string", pattern="^a$"), f"{AT}/pattern", "'$'"),
    "$ within a pattern": (adding(type="string", pattern="^(?:a$|b)"), f"{AT}/pattern", "'$'"),
    "$ behind a backslash": (adding(type="string", pattern=r"^a\\$"), f"{AT}/pattern", "'$'"),
    "no pattern at all": (adding(type="string", pattern="("), f"{AT}/pattern", "draft-07"),
    "pattern without an example": (
        adding(type="string", pattern="^a", default="a"),
        AT,
        "needs an example",
    ),
    # Defaults.
    "null as a default": (adding(type="string", default=None), AT, "default"),
    "default of another type": (adding(type="string", default=5), AT, "default"),
    "default out of bounds": (adding(type="integer", minimum=1, default=0), AT, "default"),
    "example of another type": (
        adding(type="string", default="", examples=["x", 5]),
        f"{AT}/examples/1",
        "not valid itself",
    ),
    "example of a definition out of bounds": (
        setting("definitions", "Timestamp", "examples", to=[-1]),
        "#/definitions/Timestamp/examples/0",
        "not valid itself",
    ),
    "default that is filled": (adding(type="array", items=TEXT, default=["a"]), AT, "default"),
    # What would have no docstring, or no value.
    "undescribed property": (
        setting(*DATA, "added", to={**TEXT, "default": ""}),
        AT,
        "needs a description",
    ),
    "described with blanks": (
        adding(type="string", default="", description=" "),
        AT,
        "description",
    ),
    "undescribed union": (
        setting("definitions", "UnisightsEvent", "description", to=None),
        "#/definitions/UnisightsEvent",
        "needs a description",
    ),
    "undescribed additionalProperties": (
        setting("definitions", "UtmParams", "additionalProperties", to=TEXT),
        f"{UTM}/additionalProperties",
        "needs a description",
    ),
    "undescribed constant": (
        setting("definitions", "ClickEvent", "properties", "type", to={"const": "click"}),
        "#/definitions/ClickEvent/properties/type",
        "needs a description",
    ),
    "another title": (
        setting("definitions", "ClickEvent", "title", to="Click"),
        "#/definitions/ClickEvent/title",
        "'ClickEvent'",
    ),
    "optional text without a default": (adding(**TEXT), AT, "allow null"),
    "optional number without a default": (adding(type="number", minimum=0), AT, "allow null"),
    "optional array without a default": (adding(type="array", items=TEXT), AT, "allow null"),
    "optional object without a default": (
        adding(**{"$ref": "#/definitions/DeviceInfo"}),
        AT,
        "allow null",
    ),
    "optional time without a default": (
        adding(**{"$ref": "#/definitions/Timestamp"}),
        AT,
        "allow null",
    ),
    "optional constant without a default": (adding(const="x"), AT, "allow null"),
    # Objects.
    "inline object": (adding(type="object"), AT, "#/definitions"),
    "inline object in items": (
        adding(type="array", items={"type": "object"}),
        f"{AT}/items",
        "#/definitions",
    ),
    "nullable object": (
        setting("definitions", "DeviceInfo", "type", to=["object", "null"]),
        "#/definitions/DeviceInfo/type",
        "nullable",
    ),
    "closed object": (
        setting("definitions", "DeviceInfo", "additionalProperties", to=False),
        "#/definitions/DeviceInfo/additionalProperties",
        "newer client",
    ),
    "open to numbers": (
        setting("definitions", "DeviceInfo", "additionalProperties", to={"type": "number"}),
        "#/definitions/DeviceInfo/additionalProperties",
        "strings",
    ),
    "open object with a number": (
        setting("definitions", "UtmParams", "properties", "n", to={"type": "number"}),
        f"{UTM}/properties/n",
        "plain string",
    ),
    "open object without a default": (
        setting("definitions", "UtmParams", "properties", "n", to=TEXT),
        f"{UTM}/properties/n",
        "default",
    ),
    "open object with extra": (
        setting(
            "definitions",
            "UtmParams",
            "properties",
            "extra",
            to={**TEXT, "description": "x", "default": ""},
        ),
        f"{UTM}/properties/extra",
        "taken",
    ),
    "required but not defined": (
        setting("definitions", "DeviceInfo", "required", to=["colour"]),
        "#/definitions/DeviceInfo/required",
        "'colour'",
    ),
    "undescribed object": (
        setting("definitions", "DeviceInfo", "description", to=None),
        "#/definitions/DeviceInfo",
        "description",
    ),
    # Names.
    "keyword as a name": (setting(*DATA, "class", to=TEXT), f"#/{'/'.join(DATA)}/class", "name"),
    "dash in a name": (setting(*DATA, "a-b", to=TEXT), f"#/{'/'.join(DATA)}/a-b", "name"),
    "private name": (setting(*DATA, "_a", to=TEXT), f"#/{'/'.join(DATA)}/_a", "name"),
    "method as a name": (setting(*DATA, "to_dict", to=TEXT), f"#/{'/'.join(DATA)}/to_dict", "name"),
    "what the receiver adds as a name": (
        setting("definitions", "UnisightsPayload", "properties", "raw", to=TEXT),
        "#/definitions/UnisightsPayload/properties/raw",
        "",
    ),
    "hiding name": (setting(*DATA, "str", to=TEXT), f"#/{'/'.join(DATA)}/str", "name"),
    "imported name as a class": (defining("Any"), "#/definitions/Any", "class name"),
    "alias": (
        setting("definitions", "Added", to={"$ref": "#/definitions/DeviceInfo"}),
        "#/definitions/Added",
        "alias",
    ),
    "union of one": (
        setting(*UNION, to=[{"$ref": "#/definitions/ClickEvent"}]),
        EVENT,
        "two members",
    ),
    "keyword as a class": (defining("class"), "#/definitions/class", "class name"),
    "dash in a class": (defining("A-B"), "#/definitions/A-B", "class name"),
    "names that differ in case": (defining("DEVICEINFO"), "#/definitions/", ""),
    # Unions.
    "inline union": (adding(oneOf=[{"$ref": "#/definitions/ClickEvent"}]), AT, "#/definitions"),
    "union outside an array": (adding(**{"$ref": "#/definitions/UnisightsEvent"}), AT, "array"),
    "member without a tag": (
        setting("definitions", "ClickEvent", "properties", "type", to=TEXT),
        EVENT,
        "ClickEvent",
    ),
    "member with a boolean tag": (
        setting("definitions", "ClickEvent", "properties", "type", to={"const": True}),
        EVENT,
        "ClickEvent",
    ),
    "member with an optional tag": (
        setting("definitions", "ClickEvent", "required", to=["data"]),
        EVENT,
        "ClickEvent",
    ),
    "two members with one tag": (
        setting("definitions", "ClickEvent", "properties", "type", to={"const": "custom"}),
        EVENT,
        "'custom'",
    ),
    "inline member": (
        setting(*UNION, to=[{"type": "object"}]),
        EVENT,
        "",
    ),
    # References.
    "dangling reference": (
        adding(**{"$ref": "#/definitions/Nobody"}),
        f"{AT}/$ref",
        "'#/definitions/Nobody'",
    ),
    "reference into a definition": (
        adding(**{"$ref": "#/definitions/UnisightsEvent/DeviceInfo"}),
        f"{AT}/$ref",
        "DeviceInfo",
    ),
    "reference to another document": (
        adding(**{"$ref": "https://example.com/s.json#/definitions/UnisightsEvent"}),
        f"{AT}/$ref",
        "",
    ),
    "dangling member": (
        setting(*UNION, to=[{"$ref": "#/definitions/Nobody"}]),
        EVENT,
        "'#/definitions/Nobody'",
    ),
    "dangling form": (setting("definitions", "EncryptedPayload", to=None), "#/oneOf", ""),
    "object within itself": (
        setting(
            "definitions",
            "DeviceInfo",
            "properties",
            "added",
            to={"$ref": "#/definitions/DeviceInfo", "default": {}},
        ),
        "#/definitions/DeviceInfo",
        "",
    ),
    "reference to itself": (
        both(
            setting("definitions", "Loop", to={"$ref": "#/definitions/Loop"}),
            adding(**{"$ref": "#/definitions/Loop"}),
        ),
        "#/definitions/",
        "",
    ),
    # The document.
    "another draft": (
        setting("$schema", to="https://json-schema.org/draft/2020-12/schema"),
        "#/$schema",
        "draft-07",
    ),
    "no draft": (setting("$schema", to=None), "#/$schema", "draft-07"),
    "unknown type": (adding(type="text"), AT, "draft-07"),
    "keyword of a wrong type": (adding(type="string", minLength="1"), AT, "draft-07"),
    "no version": (setting("x-version", to=None), "#/x-version", "semantic version"),
    "short version": (setting("x-version", to="1.0"), "#/x-version", "semantic version"),
    "version with a v": (setting("x-version", to="v1.0.0"), "#/x-version", "semantic version"),
    "number as a version": (setting("x-version", to=1), "#/x-version", "semantic version"),
}
"""For each mistake: how to make it, the place that is named, and a word of the reason."""


@pytest.mark.parametrize(("edit", "place", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_honoured_is_refused(
    edit: Edit,
    place: str,
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A schema with a mistake is refused with status 2, its place and the reason; no file."""
    document = copy.deepcopy(SCHEMA)
    edit(document)
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    status = generate(path, tmp_path / "out", check=False)
    said = capsys.readouterr().err
    assert status == 2, said
    assert f"{place}" in said
    assert reason in said
    assert "edited.json" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[]", "null", "true"])
def test_what_is_no_schema_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not JSON, or no object, is refused like a schema with a mistake."""
    path = tmp_path / "edited.json"
    path.write_text(text, encoding="utf-8")
    assert generate(path, tmp_path / "out", check=True) == 2
    assert "edited.json" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_the_command_exits_with_2(tmp_path: Path, arguments: list[str]) -> None:
    """On a schema with a mistake, the command says so, exits with 2 and writes nothing."""
    for name in ("codegen", "schema"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=IGNORED)
    path = tmp_path / "schema" / "unisights.schema.json"
    document = copy.deepcopy(SCHEMA)
    adding(type="number", multipleOf=2)(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, "-m", "codegen", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert f"{AT}/multipleOf" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "unisights").exists()
