"""`python -m codegen.vectors`: what is recorded, what is shown, and what it leaves to people."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from codegen.skeleton import BLANK
from codegen.vector_files import VECTORS
from codegen.vectors import InvalidFileError, main, record_files
from tests.support import make_data, make_payload

Case = dict[str, Any]


def vector(identifier: str) -> Case:
    """A case of the repository."""
    path = VECTORS / f"{identifier.partition('/')[0]}.json"
    cases = json.loads(path.read_bytes())["cases"]
    (found,) = (case for case in cases if case["id"] == identifier)
    return dict(found)


def recorded(folder: Path, *cases: Case) -> tuple[int, list[Case]]:
    """Record cases; return the exit status, and what their file has then."""
    path = folder / "some.json"
    path.write_text(json.dumps({"description": "Some.", "cases": cases}), encoding="utf-8")
    status = record_files(folder)
    return status, json.loads(path.read_bytes())["cases"]


PLAIN = {"id": "some/plain", "description": "A session.", "data": make_payload(scroll_depth=7)}


def test_the_repository_is_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    """What is committed is what the command would write."""
    before = {path: path.stat().st_mtime_ns for path in VECTORS.glob("*.json")}
    assert main([]) == 0
    assert capsys.readouterr().out == "The vectors are as they were.\n"
    assert {path: path.stat().st_mtime_ns for path in VECTORS.glob("*.json")} == before


@pytest.mark.parametrize(
    "stale", [BLANK, {"scroll_depth": 8.0}, {**make_data(), "scroll_depth": 7}]
)
def test_sessions_are_recorded(
    stale: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session that is blank, or another, becomes what is decoded; the change is shown."""
    case = {**PLAIN, "valid": True, "errors": [], "decoded": stale}
    status, (new,) = recorded(tmp_path, case)
    assert status == 0
    assert repr(new["decoded"]["scroll_depth"]) == "7.0"
    assert new["decoded"]["device_info"]["os"] == ""
    said = capsys.readouterr().out
    assert "1 case: some/plain\n" in said
    assert "+ /decoded" in said


def test_a_case_without_a_session_gets_none(tmp_path: Path) -> None:
    """Only what a case shows is recorded."""
    case = {**PLAIN, "valid": True, "errors": []}
    assert recorded(tmp_path, case) == (0, [case])


def test_problems_are_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with an invalid body may become another thing; cases alike are shown once."""
    body = make_payload(scroll_depth=-1, page_url="x")
    stale = {**PLAIN, "data": body, "valid": False, "errors": [{"pointer": "", "rule": "type"}]}
    status, cases = recorded(tmp_path, *({**stale, "id": f"some/{n}"} for n in range(5)))
    assert status == 0
    for case in cases:
        assert case["errors"] == [
            {"pointer": "/data/page_url", "rule": "pattern"},
            {"pointer": "/data/scroll_depth", "rule": "minimum"},
        ]
    said = capsys.readouterr().out
    assert said.count("/errors") == 2
    assert "5 cases: some/0, some/1, some/2, and 2 more" in said


NO_DATA = [{"pointer": "/data", "rule": "type"}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": make_payload(scroll_depth=-1), "valid": True, "errors": []}, "scroll_depth min"),
        ({"valid": False, "errors": NO_DATA}, "/data type, and is valid"),
    ],
    ids=["refused now", "accepted now"],
)
def test_no_result_is_turned_round(
    changes: Case, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A case that says otherwise is named with what is found, and left; the others are recorded."""
    wrong = {**PLAIN, "id": "some/wrong", **changes}
    other = {**PLAIN, "valid": True, "errors": [], "decoded": BLANK}
    status, cases = recorded(tmp_path, wrong, other)
    assert status == 1
    assert cases[0] == wrong
    assert cases[1]["decoded"] != BLANK
    output = capsys.readouterr()
    assert "some/wrong: it says" in output.err
    assert said in output.err
    assert "some/wrong" not in output.out


@pytest.mark.parametrize("form", ["root", "envelope"])
@pytest.mark.parametrize("change", ["plaintext", "ua_hash"])
def test_what_was_encrypted_is_encrypted_anew(
    form: str, change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another plaintext or another key gives another ciphertext, in both places, which decrypts."""
    case = vector(f"encryption/{form}/session")
    edited = copy.deepcopy(case)
    if change == "plaintext":
        text = edited["encryption"]["plaintext"].replace('"scroll_depth":75', '"scroll_depth":5')
        edited["encryption"]["plaintext"] = text
    else:
        edited["encryption"]["ua_hash"] = "x"
        edited["data"].get("envelope", edited["data"])["ua_hash"] = "x"
    status, (new,) = recorded(tmp_path, edited)
    assert status == 0
    sealed = new["data"].get("envelope", new["data"])
    assert sealed["tag"] == new["encryption"]["tag"] != case["encryption"]["tag"]
    assert new["encryption"]["ciphertext"] in sealed.values()
    assert new["decoded"]["scroll_depth"] == (5.0 if change == "plaintext" else 75.0)
    said = capsys.readouterr().out
    assert "~ encrypted anew" in said
    assert new["encryption"]["tag"] not in said


def test_tampered_and_recorded_bodies_are_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A body that does not hold the ciphertext cannot be made anew: the case is a conflict."""
    capture = vector("captures/encrypted-1")
    (tmp_path / "captures").symlink_to(VECTORS / "captures")
    edited = {**capture, "encryption": {**capture["encryption"], "bucket": 1}}
    tampered = vector("encryption/root/flipped-tag")
    changed = {**tampered, "encryption": {**tampered["encryption"], "bucket": 1}}
    assert recorded(tmp_path, edited, changed) == (1, [edited, changed])
    assert capsys.readouterr().err.count("its body does not hold the old one") == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"description": "", "cases": [{}]}'])
def test_what_is_no_vector_file_is_named(text: str, tmp_path: Path) -> None:
    """A file that cannot be read as vectors stops the command, which names it."""
    (tmp_path / "some.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidFileError, match=r"some\.json"):
        record_files(tmp_path)
    assert (tmp_path / "some.json").read_text(encoding="utf-8") == text
