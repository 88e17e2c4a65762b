"""The vectors that are made from the schema: for what has none, and for nothing else."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from codegen.model import build_model
from codegen.schema import Schema, read_schema
from codegen.skeleton import emit_missing_cases
from codegen.vector_files import VECTORS, read_cases

MODEL = build_model(read_schema())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the vector files."""
    for path in VECTORS.glob("*.json"):
        shutil.copy(path, tmp_path)
    return tmp_path


def remove(folder: Path, prefix: str) -> None:
    """Remove the cases whose ids begin so."""
    path = folder / f"{prefix.partition('/')[0]}.json"
    document = json.loads(path.read_bytes())
    document["cases"] = [c for c in document["cases"] if not c["id"].startswith(prefix)]
    path.write_text(json.dumps(document), encoding="utf-8")


def made(folder: Path) -> dict[str, dict[str, Any]]:
    """The cases that are made, by their ids."""
    before = {case["id"] for case in read_cases(folder)}
    texts = emit_missing_cases(MODEL, folder)
    cases = [case for text in texts.values() for case in json.loads(text)["cases"]]
    return {case["id"]: case for case in cases if case["id"] not in before}


def test_the_repository_lacks_no_vectors() -> None:
    """What has cases gets no more."""
    assert emit_missing_cases(MODEL, VECTORS) == {}


def test_without_vectors_none_are_made(tmp_path: Path) -> None:
    """Where there is no folder of vectors, generation makes none."""
    assert emit_missing_cases(MODEL, tmp_path / "none") == {}


@pytest.mark.parametrize(
    "prefix", ["click/x/", "session/session_id/", "device_info/screen_width/", "events/click/data/"]
)
def test_a_property_without_cases_gets_them(folder: Path, prefix: str) -> None:
    """Each is about that property alone, and is valid or not as the case that a person wrote."""
    remove(folder, prefix)
    found = made(folder)
    assert found
    written = {case["id"]: case for case in read_cases(VECTORS)}
    for identifier, case in found.items():
        assert identifier.startswith(prefix)
        assert case["valid"] is (case["errors"] == [])
        if identifier in written:
            assert case["valid"] is written[identifier]["valid"], identifier
    assert {f"{prefix}missing", f"{prefix}null"} <= found.keys() & written.keys()


def test_a_property_with_one_case_gets_none(folder: Path) -> None:
    """What people left out of the cases that were made does not come back."""
    for label in ("null", "true", "false", "string", "array", "object"):
        remove(folder, f"click/x/{label}")
    assert made(folder) == {}


def test_an_event_that_nobody_encrypts_is_encrypted(folder: Path) -> None:
    """It gets a case for each form, with whole numbers and with floats."""
    for name in ("encryption", "captures"):
        (folder / f"{name}.json").unlink()
    ids = [identifier for identifier in made(folder) if identifier.startswith("click/")]
    assert ids == [
        f"click/encrypted/{form}/{numbers}"
        for numbers in ("session", "floats")
        for form in ("root", "envelope")
    ]


def test_no_definition_is_needed_that_a_payload_cannot_hold(folder: Path) -> None:
    """A definition that nothing refers to has no place in a body, and so gets no cases."""
    document = json.loads(json.dumps(MODEL.schema.document))
    properties = {"a": {"description": "a", "type": "string", "default": ""}}
    unused = {"description": "Nowhere.", "type": "object", "properties": properties}
    document["definitions"]["Unused"] = unused
    assert emit_missing_cases(build_model(Schema("", document)), folder) == {}
