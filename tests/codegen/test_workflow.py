"""The documented way to change the schema, gone in a copy of the tree: a new event, new fields.

The commands are those of `make generate` and `make vectors`. What they leave to people is not
needed for the tests to pass here: no property that is added has a pattern.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.npm import run
from tests.support import ROOT
from unisights import SCHEMA_VERSION

IGNORED = shutil.ignore_patterns("__pycache__", "node_modules", "browser", "chaos", "servers")

AFTER = f"{int(SCHEMA_VERSION.partition('.')[0]) + 1}.0.0"

NEW: dict[str, Any] = {
    "AddedEvent": {
        "title": "AddedEvent",
        "description": "The visitor submitted a form.",
        "type": "object",
        "required": ["type", "data"],
        "properties": {
            "type": {"description": "Marks the submission of a form.", "const": "added"},
            "data": {
                "description": "Which form, and how long it took.",
                "$ref": "#/definitions/AddedEventData",
            },
        },
    },
    "AddedEventData": {
        "title": "AddedEventData",
        "description": "Which form was submitted, and how long it took.",
        "type": "object",
        "required": ["form_id", "duration_ms", "timestamp"],
        "properties": {
            "form_id": {
                "description": "The form's id.",
                "type": "string",
                "minLength": 1,
                "maxLength": 64,
            },
            "duration_ms": {
                "description": "From the first input on. Unit: milliseconds.",
                "type": "number",
                "minimum": 0,
            },
            "timestamp": {"$ref": "#/definitions/Timestamp"},
        },
    },
}

NEW["AddedViewport"] = {
    "title": "AddedViewport",
    "description": "The part of the page that is seen.",
    "type": "object",
    "properties": {
        "zoom": {
            "description": "How much it is magnified.",
            "type": "number",
            "maximum": 9,
            "default": 1,
            "x-decode": {"maximum": 5},
        },
    },
}

FIELDS: dict[str, dict[str, Any]] = {
    "UnisightsData": {
        "added_flag": {"description": "Seen before.", "type": "boolean", "default": False},
        "added_labels": {
            "description": "What the site says of the page.",
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "default": [],
        },
        "added_charge": {"description": "Its charge.", "type": ["number", "null"], "minimum": 0.5},
        "added_since": {"$ref": "#/definitions/Timestamp", "default": 0},
        "added_viewport": {"$ref": "#/definitions/AddedViewport", "default": {}},
    },
    "DeviceInfo": {
        "added_depth": {
            "description": "Bits of a pixel.",
            "type": "integer",
            "minimum": 0,
            "maximum": 64,
            "default": 24,
        },
    },
    "ClickEventData": {
        "added_pointer": {
            "description": "What was used.",
            "type": "string",
            "enum": ["mouse", "touch"],
            "default": "mouse",
        },
        "added_target": {"description": "What was clicked.", "type": ["string", "null"]},
    },
}


@pytest.fixture(scope="module")
def changed_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose schema was changed, after the documented commands."""
    root = tmp_path_factory.mktemp("clone")
    for name in ("schema", "codegen", "unisights", "tests", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=IGNORED)
    for name in ("pyproject.toml", "conftest.py", "README.md"):
        shutil.copy(ROOT / name, root)
    path = root / "schema" / "unisights.schema.json"
    document = json.loads(path.read_bytes())
    definitions = document["definitions"]
    document["x-version"] = AFTER
    definitions |= NEW
    definitions["UnisightsEvent"]["oneOf"].append({"$ref": "#/definitions/AddedEvent"})
    for name, properties in FIELDS.items():
        definitions[name]["properties"] |= properties
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
    for module in ("codegen", "codegen.vectors"):
        finished = python(root, module)
        assert finished.returncode == 0, finished.stderr
    return root


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the tree."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def cases(root: Path, name: str) -> list[dict[str, Any]]:
    """The cases of a vector file."""
    found: list[dict[str, Any]] = json.loads(
        (root / "schema" / "vectors" / f"{name}.json").read_bytes()
    )["cases"]
    return found


def test_the_commands_leave_nothing_to_do(changed_tree: Path) -> None:
    """Run again, they change nothing."""
    assert python(changed_tree, "codegen", "--check").returncode == 0
    assert python(changed_tree, "codegen.vectors").stdout == "The vectors are as they were.\n"


def test_the_tests_of_vectors_and_types_pass(changed_tree: Path) -> None:
    """In the tree with the new event and fields, with no line of a test changed, and no vector."""
    tested = ("tests/vectors/test_vectors.py", "tests/test_types.py")
    options = ("-q", "-p", "no:cacheprovider")
    finished = python(changed_tree, "pytest", *options, *tested)
    assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr


def test_the_tests_of_the_npm_face_pass(changed_tree: Path, npm_face: Path) -> None:
    """TypeScript's types are generated, and ajv agrees with every vector."""
    folder = changed_tree / "schema"
    (folder / "node_modules").symlink_to(npm_face / "node_modules")
    for command in (("generate-types.mjs",), ("--test", *map(str, folder.glob("test/*.test.mjs")))):
        finished = run(folder, "node", *command)
        assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr
    assert "AddedEvent" in (folder / "index.d.ts").read_text(encoding="utf-8")


def test_the_new_event_has_vectors(changed_tree: Path) -> None:
    """They go around each bound, in a file of its own, and are encrypted in both forms."""
    found = {case["id"]: case for case in cases(changed_tree, "added")}
    assert found["added/form_id/missing"]["errors"] == [
        {"pointer": "/data/events/0/data", "rule": "required"}
    ]
    assert found["added/form_id/beyond-maxLength"]["errors"] == [
        {"pointer": "/data/events/0/data/form_id", "rule": "maxLength"}
    ]
    sent = found["added/encrypted/root/floats"]
    (event,) = sent["decoded"]["events"]
    assert event["type"] == "added"
    assert sent["data"]["data"] == sent["encryption"]["ciphertext"]
    wrappers = [case["id"] for case in cases(changed_tree, "events")]
    assert {"events/added/valid", "events/added/data/missing"} <= {*wrappers}


def test_the_new_fields_have_vectors(changed_tree: Path) -> None:
    """Their cases join the file of what holds them, and every session has their defaults."""
    found = {
        case["id"]: case for name in ("device_info", "click") for case in cases(changed_tree, name)
    }
    assert found["device_info/added_depth/beyond-maximum"]["valid"] is False
    assert found["click/added_pointer/is-touch"]["valid"] is True
    assert found["click/added_target/null"]["valid"] is True
    (session,) = (c for c in cases(changed_tree, "payload") if c["id"] == "payload/least")
    assert session["decoded"]["device_info"]["added_depth"] == 24


def test_no_line_changes_but_for_what_is_new(changed_tree: Path) -> None:
    """What people wrote of the vectors is as it was: cases, their order, and their results."""
    for path in (ROOT / "schema" / "vectors").glob("*.json"):
        if path.name != "vectors.schema.json":
            before = cases(ROOT, path.stem)
            for old, new in zip(before, cases(changed_tree, path.stem), strict=False):
                assert {**new, "decoded": 0} == {**old, "decoded": 0}


def test_the_tables_list_what_is_new(changed_tree: Path) -> None:
    """The documents' table of events has a row more, and the new attributes."""
    page = (changed_tree / "docs" / "payload.md").read_text(encoding="utf-8")
    assert "| `added` | `AddedEvent` | `form_id`, `duration_ms`, `timestamp` |" in page
    assert "`added_pointer`, `added_target` |" in page
