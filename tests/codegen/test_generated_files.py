"""The generated files: as the schema says, always the same, and marked for what they are."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from codegen.__main__ import generate
from codegen.render import GENERATED
from tests.support import ROOT
from unisights import SCHEMA_DIGEST, SCHEMA_VERSION

IGNORED = shutil.ignore_patterns("__pycache__", "node_modules")

MODULES = [path for path in GENERATED if path.endswith(".py")]


def run_codegen(
    root: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a tree."""
    return subprocess.run(
        [sys.executable, "-m", "codegen", *arguments],
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what generation reads and writes."""
    for name in ("schema", "codegen", "unisights"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=IGNORED)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def contents(root: Path, paths: Iterable[str] = GENERATED) -> dict[str, bytes | None]:
    """The bytes of files; None for those that are not there."""
    return {p: (root / p).read_bytes() if (root / p).exists() else None for p in paths}


def test_the_repository_is_up_to_date() -> None:
    """What is committed is what the schema generates."""
    checked = run_codegen(ROOT, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


def generate_in(root: Path, *, check: bool = False) -> int:
    """What the command does in a tree, without another process."""
    return generate(root / "schema" / "unisights.schema.json", root, check=check)


def test_edited_generated_files_are_noticed_and_restored(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hand-edited files fail the check, which changes nothing; generating restores them."""
    edited = ["unisights/types.py", "unisights/_schema/generated/unisights.schema.json"]
    for path in edited:
        with (tree / path).open("a", encoding="utf-8") as file:
            file.write("\n")
    before = contents(tree)
    assert generate_in(tree, check=True) == 1
    said = capsys.readouterr().err
    assert [path for path in GENERATED if path in said] == sorted(edited)
    assert "make generate" in said
    assert contents(tree) == before
    assert generate_in(tree) == 0
    assert contents(tree) == contents(ROOT)


def test_a_missing_generated_file_is_noticed(tree: Path) -> None:
    """A generated file that was deleted fails the command's check, and stays deleted."""
    (tree / "unisights/_decoding/generated/decoder.py").unlink()
    checked = run_codegen(tree, "--check")
    assert checked.returncode == 1
    assert "unisights/_decoding/generated/decoder.py" in checked.stderr
    assert "make generate" in checked.stderr
    assert not (tree / "unisights/_decoding/generated/decoder.py").exists()


def test_an_edited_schema_is_noticed(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any change to the schema, be it to a description, makes every generated file stale."""
    path = tree / "schema" / "unisights.schema.json"
    text = path.read_text(encoding="utf-8")
    assert text.count("The visitor clicked or tapped.") == 1
    path.write_text(text.replace("clicked or tapped", "clicked"), encoding="utf-8")
    before = contents(tree)
    assert generate_in(tree, check=True) == 1
    said = capsys.readouterr().err
    assert "make generate" in said
    assert [p for p in GENERATED if p not in said] == []
    assert contents(tree) == before


@pytest.mark.parametrize("seed", ["1", "2"])
def test_generation_is_deterministic(tree: Path, seed: str) -> None:
    """From nothing, generation writes the committed bytes, whatever the hash seed."""
    for path in GENERATED:
        (tree / path).unlink()
    generated = run_codegen(tree, PYTHONHASHSEED=seed)
    assert generated.returncode == 0, generated.stderr
    assert contents(tree) == contents(ROOT)


def test_generating_twice_writes_nothing(tree: Path) -> None:
    """Files that are up to date are not written again."""
    before = {path: (tree / path).stat().st_mtime_ns for path in GENERATED}
    assert generate_in(tree) == 0
    assert {path: (tree / path).stat().st_mtime_ns for path in GENERATED} == before


def test_generated_files_are_those_marked_for_linguist(tmp_path: Path) -> None:
    """`.gitattributes` marks every generated file as such, and no other file."""
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    tops = ("unisights", "codegen", "schema", "tests")
    files = sorted(
        path.relative_to(ROOT).as_posix()
        for top in tops
        for path in (ROOT / top).rglob("*")
        if path.is_file() and not {"__pycache__", "node_modules"} & set(path.parts)
    )
    listed = subprocess.run(
        ["git", "check-attr", "-z", "--stdin", "linguist-generated"],
        cwd=tmp_path,
        input="\0".join([*files, "pyproject.toml", "Makefile", "README.md", ""]),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    values = dict(zip(listed[0::3], listed[2::3], strict=False))
    assert len(values) == len(files) + 3
    assert sorted(path for path, value in values.items() if value == "true") == sorted(
        [*GENERATED, "schema/index.d.ts"]
    )


@pytest.mark.parametrize("path", MODULES)
def test_generated_modules_say_so(path: str) -> None:
    """Each generated module begins with what it was made from and how to change it."""
    banner = (ROOT / path).read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    assert all(line.startswith("#") for line in banner)
    text = "\n".join(banner)
    for part in ("GENERATED", "schema/unisights.schema.json", SCHEMA_VERSION, SCHEMA_DIGEST):
        assert part in text
    assert "make generate" in text


def test_there_is_nothing_else_among_the_generated_files() -> None:
    """The private directories hold what is generated, and nothing else."""
    directories = [ROOT / "unisights" / room / "generated" for room in ("_schema", "_decoding")]
    files = [p for directory in directories for p in directory.iterdir() if p.is_file()]
    found = {p.relative_to(ROOT).as_posix() for p in files}
    assert found == set(GENERATED) - {"unisights/types.py"}
