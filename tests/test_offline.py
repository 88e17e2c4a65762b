"""`unisights validate` and `unisights schema`."""

import hashlib
import io
import json
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PYTHON
from tests.support import CAPTURE_DIR, CAPTURES, ROOT, make_body, make_data, make_payload, seal
from unisights import SCHEMA_DIGEST, SCHEMA_VERSION
from unisights.cli import main
from unisights.offline import validate_files


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def test_valid_files_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0 and no line for every recorded body."""
    assert main(["validate", *(str(CAPTURE_DIR / f"{name}.json") for name in CAPTURES)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{len(CAPTURES)} read, 0 invalid" in said.err


def test_each_problem_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In NDJSON, a problem is named by file, line, pointer and message; the status is 1."""
    path = tmp_path / "events.ndjson"
    bad = make_body(session_id=5, page_url="x y")
    path.write_bytes(b"\n".join([make_body(), b"", bad, b"{oops", make_body()]))
    assert main(["validate", str(path)]) == 1
    found = _lines(capsys.readouterr().out)
    assert [line.split(": ")[:2] for line in found] == [
        [f"{path}:3", "/data/session_id"],
        [f"{path}:3", "/data/page_url"],
        [f"{path}:4", "/"],
    ]


def test_lines_inside_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a document of several lines, each problem is on the line where its value is."""
    payload = make_payload(
        session_id="x",
        events=[
            {"type": "click", "data": {"x": 1, "y": "}", "timestamp": 3}},
            {"type": "click", "data": {"x": 1, "timestamp": 3}},
        ],
        utm_params={"utm_source": 'a"b,{', "0": 5, "a/b": 6},
    )
    text = "\n\n" + json.dumps(payload, indent=2)
    path = tmp_path / "payload.json"
    path.write_text(text, encoding="utf-8")
    assert main(["validate", "--format", "json", str(path)]) == 1
    found = {
        record["pointer"]: record for record in map(json.loads, _lines(capsys.readouterr().out))
    }
    lines = text.split("\n")
    for pointer, part in {
        "/data/session_id": '"session_id": "x"',
        "/data/events/0/data/y": '"y": "}"',
        "/data/utm_params/0": '"0": 5',
        "/data/utm_params/a~1b": '"a/b": 6',
    }.items():
        assert part in lines[found[pointer]["line"] - 1]
    # Of what is missing, the object that should hold it counts.
    missing = found["/data/events/1/data"]["line"]
    assert '"data": {' in lines[missing - 1]
    assert '"timestamp": 3' in lines[missing + 1]


def test_json_lines_for_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--format json writes one object a problem, and nothing else."""
    path = tmp_path / "a.json"
    path.write_bytes(b"{}")
    assert main(["validate", "--format", "json", str(path)]) == 1
    said = capsys.readouterr()
    (record,) = map(json.loads, _lines(said.out))
    assert {key: record[key] for key in ("file", "line", "pointer", "rule")} == {
        "file": str(path),
        "line": 1,
        "pointer": "",
        "rule": "required",
    }
    assert said.err == ""


def test_standard_input_is_read() -> None:
    """`-` reads the standard input, and a reader that leaves early is no error of ours."""
    command = [PYTHON, "-m", "unisights", "validate", "-"]
    finished = subprocess.run(
        command, input=make_body() + b"\n{}\n", capture_output=True, cwd=ROOT, check=False
    )
    assert finished.returncode == 1
    assert finished.stdout.startswith(b"-:2: /: ")
    cut = subprocess.run(  # noqa: S602  # a pipe, as a person would make it
        f"{PYTHON} -m unisights validate - | head -1",
        shell=True,
        input=b"{}\n" * 20_000,
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert cut.stdout.count(b"\n") == 1
    assert b"Traceback" not in cut.stderr


def test_what_cannot_be_read_is_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing file is named, the others are still validated, and the status is 2."""
    invalid = tmp_path / "invalid.json"
    invalid.write_bytes(b"[]")
    missing = str(tmp_path / "missing.json")
    assert main(["validate", missing, str(invalid), str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert missing in said.err
    assert str(invalid) in said.out


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_invalid(tmp_path: Path, content: bytes) -> None:
    """A file that holds nothing holds no valid payload."""
    path = tmp_path / "empty.json"
    path.write_bytes(content)
    assert main(["validate", str(path)]) == 1


def test_a_long_file_needs_no_memory(tmp_path: Path) -> None:
    """A file of many payloads is validated one by one."""
    path = tmp_path / "long.ndjson"
    line = make_body(asset_id="x" * 10_000) + b"\n"
    with path.open("wb") as file:
        for _ in range(3_000):
            file.write(line)
    tracemalloc.start()
    try:
        totals = validate_files([str(path)], out=io.StringIO())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (totals.payloads, totals.invalid) == (3_000, 0)
    assert peak < 2_000_000


def test_progress_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a long file is read, how far it is is said now and then."""
    monkeypatch.setattr("unisights.offline.PROGRESS_SECONDS", 0.0)
    path = tmp_path / "long.ndjson"
    path.write_bytes((make_body() + b"\n") * 3)
    progress = io.StringIO()
    validate_files([str(path)], out=io.StringIO(), progress=progress)
    assert "3 payloads, 0 invalid" in progress.getvalue()


def test_an_endless_line_is_one_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that is too long is named once, and the lines behind it are validated."""
    monkeypatch.setattr("unisights.offline.MAX_PAYLOAD", 1_000)
    path = tmp_path / "long.ndjson"
    path.write_bytes(b'{"a":"' + b"x" * 5_000 + b'"}\n' + make_body() + b"\n{}\n")
    assert main(["validate", str(path)]) == 1
    assert [line.split(": ")[0] for line in _lines(capsys.readouterr().out)] == [
        f"{path}:1",
        f"{path}:3",
    ]


def test_a_server_secret_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payloads encrypted with a secret are valid when it is in UNISIGHTS_SERVER_SECRET."""
    sealed: Any = seal(json.dumps(make_data()).encode(), server_secret="s3cret")
    path = tmp_path / "sealed.json"
    path.write_text(json.dumps(sealed), encoding="utf-8")
    assert main(["validate", str(path)]) == 1
    monkeypatch.setenv("UNISIGHTS_SERVER_SECRET", "s3cret")
    assert main(["validate", str(path)]) == 0


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`schema` prints the file itself, or its version, or its digest."""
    assert main(["schema"]) == 0
    text = capsys.readouterr().out
    assert hashlib.sha256(text.encode()).hexdigest() == SCHEMA_DIGEST
    assert main(["schema", "--only", "version"]) == 0
    assert capsys.readouterr().out.strip() == SCHEMA_VERSION
    assert main(["schema", "--only", "digest"]) == 0
    assert capsys.readouterr().out.strip() == SCHEMA_DIGEST
