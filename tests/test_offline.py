"""`unisights validate` and `unisights schema`."""

import hashlib
import io
import json
import subprocess
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.processes import PYTHON
from tests.support import CAPTURE_DIR, CAPTURES, ROOT, make_body, make_data, make_payload, seal
from unisights import SCHEMA_DIGEST, SCHEMA_VERSION
from unisights._cli.main import main
from unisights._cli.validate import _payloads, validate_files


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


def test_a_document_is_on_the_line_where_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a document of several lines, the pointer says the place of each problem."""
    path = tmp_path / "payload.json"
    payload = make_payload(session_id=5, utm_params={"a/b": 6})
    path.write_text("\n\n" + json.dumps(payload, indent=2), encoding="utf-8")
    assert main(["validate", str(path)]) == 1
    found = _lines(capsys.readouterr().out)
    assert [line.split(": ")[:2] for line in found] == [
        [f"{path}:3", "/data/session_id"],
        [f"{path}:3", "/data/utm_params/a~1b"],
    ]
    assert main(["validate", "--format", "json", str(path)]) == 1
    records = map(json.loads, _lines(capsys.readouterr().out))
    assert [(record["line"], record["pointer"]) for record in records] == [
        (3, "/data/session_id"),
        (3, "/data/utm_params/a~1b"),
    ]


@pytest.mark.parametrize(
    ("name", "payloads"),
    [("a.ndjson", 2), ("a.jsonl", 2), ("a.JSONL", 2), ("a.json", 1), ("jsonl", 1)],
)
def test_a_name_tells_ndjson(tmp_path: Path, name: str, payloads: int) -> None:
    """In .ndjson and .jsonl each line is a payload, whatever the first one looks like."""
    path = tmp_path / name
    path.write_bytes(b"[]\n[]\n")
    assert validate_files([str(path)], out=io.StringIO()).payloads == payloads


def test_problems_without_a_place_are_on_the_first_line(tmp_path: Path) -> None:
    """A document of several lines that is no JSON, or lacks all, is named by its first line."""
    path = tmp_path / "payload.json"
    for content in (b'\n{\n"a": "\xff"}', b'\n{\n"a": x}', b'\n{\n"a": 1}', b"\n[\n]"):
        path.write_bytes(content)
        out = io.StringIO()
        totals = validate_files([str(path)], out=out)
        assert (totals.payloads, totals.invalid, totals.problems) == (1, 1, 1)
        assert out.getvalue().startswith(f"{path}:2: /: ")
        record = io.StringIO()
        validate_files([str(path)], out=record, output_format="json")
        assert json.loads(record.getvalue())["pointer"] == ""


def test_lines_go_where_they_are_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Problems are written to `out`, in either format, and to the standard output without one."""
    path = tmp_path / "größe.json"
    path.write_bytes(make_body(asset_id=5, scroll_depth=-1))
    asset_id, scroll_depth = (
        f"{path}:1: /data/asset_id: data.asset_id must be a string, not a number\n",
        f"{path}:1: /data/scroll_depth: data.scroll_depth must be at least 0\n",
    )
    text, records = io.StringIO(), io.StringIO()
    validate_files([str(path)], out=text)
    assert text.getvalue() == asset_id + scroll_depth
    validate_files([str(path)], out=records, output_format="json")
    first, _ = _lines(records.getvalue())
    assert first.startswith(f'{{"file": "{path}", "line": 1, "pointer": "/data/asset_id"')
    assert capsys.readouterr().out == ""
    validate_files([str(path)])
    assert capsys.readouterr().out == text.getvalue()


def test_everything_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The totals count payloads, invalid ones, problems, and files that could not be read."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join([make_body(asset_id=1, scroll_depth=-1), make_body(), b"[]"]))
    missing = [str(tmp_path / name) for name in ("a", "b")]
    totals = validate_files([*missing, str(path)], out=io.StringIO())
    assert (totals.payloads, totals.invalid, totals.problems) == (3, 2, 3)
    assert totals.unreadable == 2
    assert totals.exit_status == 2
    assert capsys.readouterr().err == "".join(
        f"unisights: {name}: No such file or directory\n" for name in missing
    )


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
    """`-` reads the standard input; an output that is closed early causes no traceback."""
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


def test_standard_input_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-` reads the bytes of the standard input as NDJSON, and does not close it."""
    path = tmp_path / "input"
    path.write_bytes(make_body() + b"\n\xff\n")
    with path.open(encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["validate", "-"]) == 1
        stdin.seek(0)
        assert main(["validate", "-"]) == 1
    found = _lines(capsys.readouterr().out)
    assert found == ["-:2: /: the body is not UTF-8: byte 0"] * 2


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
    out = io.StringIO()
    assert validate_files([str(path)], out=out).exit_status == 1
    assert out.getvalue() == f"{path}:1: /: the body is empty\n"


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
    """While a long file is read, the progress is written."""
    monkeypatch.setattr("unisights._cli.validate.PROGRESS_SECONDS", 0.0)
    path = tmp_path / "long.ndjson"
    path.write_bytes((make_body() + b"\n") * 3)
    progress = io.StringIO()
    validate_files([str(path)], out=io.StringIO(), progress=progress)
    assert "3 payloads, 0 invalid" in progress.getvalue()


def test_progress_is_said_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress is written once a second, and not in the first second."""
    path = tmp_path / "long.ndjson"
    path.write_bytes(make_body() + b"\n" + b"[]\n" * 5)
    clock = iter([5.0, 5.9, 6.0, 6.9, 6.99, 7.0, 9.5])
    monkeypatch.setattr(
        "unisights._cli.validate.time", SimpleNamespace(monotonic=lambda: next(clock))
    )
    progress = io.StringIO()
    validate_files([str(path)], out=io.StringIO(), progress=progress)
    assert _lines(progress.getvalue()) == [
        "2 payloads, 0 invalid",
        "5 payloads, 3 invalid",
        "6 payloads, 4 invalid",
    ]


class Sparing(io.BytesIO):
    """A file that fails if more than one payload is read at once."""

    most = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 < size <= self.most
        return super().readline(size)

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 < size <= self.most
        return super().read(size)


@pytest.mark.parametrize("is_ndjson", [False, True])
def test_of_a_large_payload_no_more_is_read(
    monkeypatch: pytest.MonkeyPatch, is_ndjson: bool
) -> None:
    """A file is read in pieces of the largest payload and one byte more."""
    monkeypatch.setattr("unisights._cli.validate.MAX_PAYLOAD", 10)
    monkeypatch.setattr(Sparing, "most", 11)
    lines = [b"{23456789}", b"{}", b"{23456789a}", b"{3456789}", b"x" * 40, b"[]", b"y" * 33]
    stream = Sparing(b"\n".join(lines))
    found = [*_payloads(stream, is_ndjson=is_ndjson)]
    assert [line for line, _ in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [body[:10] for _, body in found] == [
        *(b"{23456789}", b"{}\n", b"{23456789a", b"{3456789}\n"),
        *(b"x" * 10, b"[]\n", b"y" * 10),
    ]
    (document,) = _payloads(Sparing(b"[\n" + b"1" * 40), is_ndjson=False)
    assert document == (1, b"[\n" + b"1" * 11)


def test_the_largest_payload_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload of the greatest size is validated; a larger one is a problem of its size."""
    body = make_body()
    monkeypatch.setattr("unisights._cli.validate.MAX_PAYLOAD", len(body))
    path = tmp_path / "a.json"
    for content, expected in (
        (body, []),
        (body.replace(b"{", b"{\n", 1).replace(b": ", b":", 1), []),
        (
            body + b" ",
            [("", "size", f"larger than {len(body)} bytes; one payload a line?")],
        ),
    ):
        path.write_bytes(content)
        out = io.StringIO()
        validate_files([str(path)], out=out, output_format="json")
        records = [json.loads(line) for line in _lines(out.getvalue())]
        assert [(r["pointer"], r["rule"], r["message"]) for r in records] == expected


def test_an_endless_line_is_one_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that is too long is named once, and the lines behind it are validated."""
    monkeypatch.setattr("unisights._cli.validate.MAX_PAYLOAD", 1_000)
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
