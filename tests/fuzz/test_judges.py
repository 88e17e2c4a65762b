"""The judges agree: the referee, the compiled validator, the byte decoder, and ajv.

This is the quick version of `make fuzz`.
"""

import json
import os
import secrets
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import judges
from tests.fuzz.ajv import Ajv
from tests.fuzz.corpus import KINDS, cases
from tests.fuzz.judges import disagreements, expect
from tests.fuzz.minimise import as_vector, minimise
from tests.fuzz.run import run_block
from tests.npm import copy_to
from tests.support import make_body
from tests.vectors.cases import VECTORS, Vector, each

CASES = 1_500


@pytest.fixture(scope="module")
def seed() -> str:
    """Always the same in CI."""
    return "quick" if "CI" in os.environ else secrets.token_hex(4)


def test_all_judges_agree(npm_face: Path, seed: str) -> None:
    """On cases of every kind, all judges give the same result, problems and decoded session."""
    outcome = run_block(seed, CASES, npm_face)
    assert outcome.disagreements == 0, "\n".join([f"the seed is {seed!r}", *outcome.vectors])
    kinds: Counter[str] = Counter()
    for (kind, result), count in outcome.counts.items():
        kinds[kind] += count
        kinds[result] += count
    assert kinds.total() == 2 * CASES
    results = {"valid", "valid, by the fast path", "invalid", "not JSON", "too deep"}
    assert set(kinds) == set(KINDS) | results


def test_a_seed_makes_the_same_cases() -> None:
    """What was found can be found again: a block is made by its seed alone."""
    assert list(cases("a/0", 50)) == list(cases("a/0", 50))
    assert list(cases("a/0", 50)) != list(cases("a/1", 50))


@each([vector for vector in VECTORS if "server_secret" not in vector.case])
def test_the_referee_expects_what_the_vectors_say(vector: Vector) -> None:
    """What cases are compared with is the contract: the vectors' results, errors and sessions."""
    expected = expect(vector.body)
    assert expected.problems == vector.errors
    if "decoded" in vector.case:
        assert json.dumps(expected.data, sort_keys=True) == json.dumps(
            vector.case["decoded"], sort_keys=True
        )


def _loses_pages(fast: Any) -> Any:
    def decode(body: bytes) -> Any:
        payload = fast(body)
        if payload is not None:
            payload.data.entry_page = None
        return payload

    return decode


def _takes_anything(fast: Any) -> Any:
    return lambda body: fast(body) or fast(make_body())


def _breaks_down(_fast: Any) -> Any:
    def decode(body: bytes) -> Any:
        raise LookupError(body)

    return decode


@pytest.mark.parametrize("defect", [_loses_pages, _takes_anything, _breaks_down])
def test_defects_are_found(monkeypatch: pytest.MonkeyPatch, defect: Any) -> None:
    """A fast path that decodes otherwise, is unsound, or raises, is found, and shown small."""
    monkeypatch.setattr(judges, "decode_fast", defect(judges.decode_fast))
    outcome = run_block("defects", 300, None)
    assert outcome.disagreements > 0
    assert outcome.vectors != []
    vector = json.loads(outcome.vectors[0])
    assert "fast path" in vector["description"] or "LookupError" in vector["description"]
    assert len(outcome.vectors[0]) < 4_000


def test_ajvs_defects_are_found(npm_face: Path, tmp_path: Path) -> None:
    """A schema that says something else to ajv is found out."""
    package = copy_to(tmp_path / "schema")
    (package / "node_modules").symlink_to(npm_face / "node_modules")
    path = package / "unisights.schema.json"
    schema = json.loads(path.read_bytes())
    rating = schema["definitions"]["WebVitalEventData"]["properties"]["rating"]
    rating["enum"].remove("needs-improvement")
    path.write_text(json.dumps(schema), encoding="utf-8")
    body = next(v.body for v in VECTORS if str(v) == "web_vital/rating/is-needs-improvement")
    with Ajv(package) as ajv:
        ajv.ask([body, make_body()])
        first, second = ajv.answers()
    assert judges.disagreements_of_ajv(body, first) != []
    assert judges.disagreements_of_ajv(make_body(), second) == []


def test_disagreements_become_small_vectors() -> None:
    """What is shown can be pasted into a file of vectors: the smallest body, with its result."""
    body = make_body(asset_id="x" * 50, page_url="not a url")
    smallest = minimise(body, lambda candidate: b"not a" in candidate)
    assert smallest == b"not a"
    assert json.loads(as_vector(smallest, ["because"])) == {
        "id": "fuzz/" + json.loads(as_vector(smallest, []))["id"].removeprefix("fuzz/"),
        "description": "because",
        "body": "not a",
        "valid": False,
        "errors": [{"pointer": "", "rule": "json"}],
    }
    assert json.loads(as_vector(b"\xff", []))["body_base64"] == "/w=="
    assert disagreements(make_body()) == ([], "valid, by the fast path")
