"""The evolution gate: a changed schema has the version that says what the change does to others."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codegen.__main__ import generate
from codegen.compare import Change, Effect
from codegen.earlier_vectors import run_cases
from codegen.evolution import objection
from codegen.vector_files import read_cases
from tests.support import ROOT, make_payload
from unisights import SCHEMA_DIGEST, SCHEMA_VERSION

IGNORED = shutil.ignore_patterns("__pycache__", "node_modules")
VECTORS = ROOT / "schema" / "vectors"
SCHEMA_PATH = Path("schema", "unisights.schema.json")

Edit = Callable[[dict[str, Any]], None]

MAJOR, MINOR, PATCH = map(int, SCHEMA_VERSION.split("."))
NEXT_MAJOR = f"{MAJOR + 1}.0.0"
NEXT_MINOR = f"{MAJOR}.{MINOR + 1}.0"
NEXT_PATCH = f"{MAJOR}.{MINOR}.{PATCH + 1}"


def git(tree: Path, *arguments: str) -> str:
    """Run git in a tree, with nothing of the user's own settings."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    environment = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", *identity, *arguments],
        cwd=tree,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def commit(tree: Path, message: str) -> None:
    """Commit everything."""
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", message)


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of a tree, as the Makefile does.

    It keeps no bytecode: a file that is generated twice within a second may be of the same size,
    and then the bytecode of the first would be taken for that of the second.
    """
    return subprocess.run(
        [sys.executable, "-B", "-m", *arguments],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )


def check_schema(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the gate in a tree."""
    return python(tree, "codegen.evolution", *arguments)


def edit_schema(tree: Path, edit: Edit, *, version: str = SCHEMA_VERSION) -> None:
    """Change the schema and its version, and generate."""
    path = tree / SCHEMA_PATH
    document = json.loads(path.read_bytes())
    edit(document)
    document["x-version"] = version
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    assert generate(path, tree, check=False) == 0


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one commit with what the gate needs; not to be changed."""
    root = tmp_path_factory.mktemp("repository")
    for name in ("schema", "codegen", "unisights"):
        shutil.copytree(ROOT / name, root / name, ignore=IGNORED)
    for name in ("pyproject.toml", "Makefile", ".gitattributes", ".gitignore"):
        shutil.copy(ROOT / name, root)
    git(root, "init", "--quiet", "--template=", "--initial-branch", "main")
    commit(root, "The schema")
    git(root, "gc", "--quiet")  # Few files are copied sooner.
    return root


@pytest.fixture
def tree(repository: Path, tmp_path: Path) -> Path:
    """A copy of the repository."""
    return Path(shutil.copytree(repository, tmp_path / "clone"))


def require_positive_x(document: dict[str, Any]) -> None:
    """Refuse clicks with a negative x."""
    document["definitions"]["ClickEventData"]["properties"]["x"]["minimum"] = 0


def add_a_property(document: dict[str, Any]) -> None:
    """Add an optional property with a default to the session."""
    added = {"description": "Added.", "type": "string", "default": "left"}
    document["definitions"]["UnisightsData"]["properties"]["added"] = added


def reword(document: dict[str, Any]) -> None:
    """Change a description."""
    document["definitions"]["ClickEventData"]["description"] = "Where it was."


def nothing(document: dict[str, Any]) -> None:
    """Change nothing."""


# The command.


def test_a_breaking_change_needs_a_major_step(tree: Path) -> None:
    """A tighter bound fails with the version as it is or a minor step, and passes as a major."""
    place = "#/definitions/ClickEventData/properties/x/minimum"
    for version, returncode in ((SCHEMA_VERSION, 1), (NEXT_MINOR, 1), (NEXT_MAJOR, 0)):
        edit_schema(tree, require_positive_x, version=version)
        checked = check_schema(tree, "HEAD")
        assert checked.returncode == returncode, checked.stderr
        assert f"breaks senders    {place}: 0 instead of no bound\n" in checked.stdout
        assert (
            "breaks senders    vector numbers/x/-1.7976931348623157e308: was valid"
            in checked.stdout
        )
        assert (f"a major step: x-version {NEXT_MAJOR}" in checked.stderr) is bool(returncode)
        assert f"{SCHEMA_VERSION} at HEAD (" in checked.stdout


def test_what_was_committed_is_compared_too(tree: Path) -> None:
    """Without a name, the revision before the last is compared with, or origin's main."""
    edit_schema(tree, reword)
    commit(tree, "Other words")
    checked = check_schema(tree)
    assert checked.returncode == 1
    assert "at HEAD~1 (" in checked.stdout
    git(tree, "update-ref", "refs/remotes/origin/main", "HEAD")
    checked = check_schema(tree)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "at origin/main (" in checked.stdout
    assert "Changes: none" in checked.stdout


def test_an_addition_needs_a_minor_step(tree: Path) -> None:
    """With a new optional property, old vectors decode to what they did and its default more."""
    edit_schema(tree, add_a_property, version=NEXT_PATCH)
    checked = check_schema(tree, "HEAD")
    assert checked.returncode == 1
    assert f"a minor step: x-version {NEXT_MINOR}, not {NEXT_PATCH}" in checked.stderr
    assert "addition          #/definitions/UnisightsData/properties/added" in checked.stdout
    assert "otherwise: 0 changes in" in checked.stdout
    edit_schema(tree, nothing, version=NEXT_MINOR)
    assert check_schema(tree, "HEAD").returncode == 0


def test_words_need_a_patch(tree: Path) -> None:
    """A changed description alone fails with the same version, and passes with a patch."""
    edit_schema(tree, reword)
    checked = check_schema(tree, "HEAD")
    assert checked.returncode == 1
    assert f"a patch step: x-version {NEXT_PATCH}" in checked.stderr
    edit_schema(tree, nothing, version=NEXT_PATCH)
    assert check_schema(tree, "HEAD").returncode == 0


def test_what_the_schema_does_not_say_is_found_by_the_vectors(tree: Path) -> None:
    """Code that begins to refuse or to decode otherwise fails, though the schema is the same."""
    path = tree / "unisights" / "_decoding" / "fast_path.py"
    text = path.read_text(encoding="utf-8")
    old = "        payload.raw = body\n        return payload\n"  # where the fast path returns
    assert text.count(old) == 1
    edited = f"        payload.data.time_on_page += 1\n{old}"
    path.write_text(text.replace(old, edited), encoding="utf-8")
    checked = check_schema(tree, "HEAD")
    assert checked.returncode == 1
    assert "Changes: none" in checked.stdout
    assert "changes decoding  vector " in checked.stdout
    assert "/time_on_page was" in checked.stdout
    assert "more\n" in checked.stdout


def test_stale_generated_code_is_not_compared(tree: Path) -> None:
    """If the code is of another schema, the gate says to generate first."""
    with (tree / SCHEMA_PATH).open("a", encoding="utf-8") as file:
        file.write("\n")
    checked = check_schema(tree, "HEAD")
    assert checked.returncode == 2
    assert "make generate" in checked.stderr


def test_an_unknown_revision_is_named(tree: Path) -> None:
    """A revision that git does not know, or none before the first, says what to do."""
    for arguments, name in ((["v0.9.0"], "v0.9.0"), ([], "HEAD~1"), (["--", "-x"], "-x")):
        checked = check_schema(tree, *arguments)
        assert checked.returncode == 2
        assert name in checked.stderr
        assert "git fetch --unshallow" in checked.stderr
        assert "make check-schema BASE=" in checked.stderr


def test_a_revision_without_a_schema_is_named(tree: Path) -> None:
    """A revision from before the schema says that there is nothing to compare with."""
    git(tree, "rm", "--quiet", "-r", "--cached", "schema")
    git(tree, "commit", "--quiet", "--message", "No schema")
    checked = check_schema(tree, "HEAD")
    assert checked.returncode == 2
    assert "has no schema/unisights.schema.json" in checked.stderr
    assert "make check-schema BASE=" in checked.stderr


def test_a_schema_that_the_gate_refuses_cannot_be_compared(tree: Path) -> None:
    """An earlier schema with a keyword that nothing honours today is named, with the place."""
    path = tree / SCHEMA_PATH
    good = path.read_bytes()
    document = json.loads(good)
    document["definitions"]["ClickEventData"]["properties"]["x"]["multipleOf"] = 2
    path.write_text(json.dumps(document), encoding="utf-8")
    commit(tree, "A keyword")
    path.write_bytes(good)
    checked = check_schema(tree, "HEAD")
    assert checked.returncode == 2
    assert "/properties/x/multipleOf" in checked.stderr


def test_vectors_may_be_missing(tree: Path) -> None:
    """A revision from before the vectors is compared by its schema alone."""
    git(tree, "rm", "--quiet", "-r", "--cached", "schema/vectors")
    git(tree, "commit", "--quiet", "--message", "No vectors")
    checked = check_schema(tree, "HEAD")
    assert checked.returncode == 0
    assert "0 changes in 0" in checked.stdout


def test_make_passes_the_base_on(tree: Path) -> None:
    """`make check-schema BASE=` runs the gate with that revision, and fails if it does."""
    (tree / ".venv").symlink_to(ROOT / ".venv")
    command = ["make", "--old-file=.venv/.dev", "check-schema", "BASE=no-such"]
    made = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert made.returncode != 0
    assert "no-such" in made.stderr


# The vectors.


def test_every_vector_comes_out_as_it_says() -> None:
    """The present vectors, of every way to write a body, surprise nobody."""
    cases = read_cases(VECTORS)
    assert {"data", "body", "body_base64", "file"} <= {key for case in cases for key in case}
    assert run_cases(cases, VECTORS) == []


VALID = {"id": "case", "valid": True, "data": make_payload(scroll_depth=7)}
REFUSED = {"id": "case", "valid": False, "data": make_payload(scroll_depth=-7)}


@pytest.mark.parametrize(
    ("case", "effect", "what"),
    [
        pytest.param({**REFUSED, "valid": True}, Effect.BREAKS_SENDERS, "refused", id="refused"),
        pytest.param({**VALID, "valid": False}, Effect.ADDITION, "is valid", id="widened"),
        pytest.param(
            {**VALID, "decoded": {"scroll_depth": 8.0}},
            Effect.CHANGES_DECODING,
            "/scroll_depth was 8.0, is 7.0",
            id="other-value",
        ),
        pytest.param(
            {**VALID, "decoded": {"scroll_depth": 7}},
            Effect.CHANGES_DECODING,
            "/scroll_depth was 7, is 7.0",
            id="other-type",
        ),
        pytest.param(
            {**VALID, "decoded": {"utm_params": {"utm_id": ""}}},
            Effect.CHANGES_DECODING,
            "/utm_params/utm_id is gone",
            id="lost",
        ),
        pytest.param(
            {**VALID, "decoded": {"events": [{}]}},
            Effect.CHANGES_DECODING,
            "/events was",
            id="shorter",
        ),
        pytest.param(
            {"id": "case", "valid": True, "yaml": ""}, Effect.UNCLASSIFIED, "body", id="no-body"
        ),
    ],
)
def test_surprises_are_classified(case: dict[str, Any], effect: Effect, what: str) -> None:
    """A case that comes out otherwise than it says is reported once, with what that breaks."""
    (change,) = run_cases([case], VECTORS)
    assert (change.place, change.effect) == ("vector case", effect)
    assert what in change.what


def test_a_session_may_have_more_in_it() -> None:
    """Properties that a case does not know of are no surprise: they were added since."""
    assert run_cases([{**VALID, "decoded": {"scroll_depth": 7.0}}], VECTORS) == []


# The version.

STEPS = [
    *((effect, "1.2.3", "2.0.0", "") for effect in Effect),
    *((effect, "1.2.3", "1.3.0", "2.0.0") for effect in Effect),
    *((effect, "1.2.3", "1.2.4", "2.0.0") for effect in Effect),
    *((effect, "1.2.3", "1.2.3", "2.0.0") for effect in Effect),
    (Effect.BREAKS_SENDERS, "0.1.0", "0.2.0", "1.0.0"),
    (Effect.BREAKS_RECEIVERS, "9.9.9", "9.10.0", "10.0.0"),
    (Effect.ADDITION, "0.1.0", "0.1.1", "0.2.0"),
    (Effect.ADDITION, "1.9.0", "1.10.0", ""),
    (Effect.BREAKS_SENDERS, "1.0.0", "3.1.4", ""),
]
"""An effect, versions before and after, and the least version it needs for what breaks."""

SAFE = {
    (Effect.ADDITION, "1.3.0"): "",
    (Effect.ADDITION, "1.2.4"): "1.3.0",
    (Effect.ADDITION, "1.2.3"): "1.3.0",
    (Effect.DOCUMENTATION, "1.3.0"): "",
    (Effect.DOCUMENTATION, "1.2.4"): "",
    (Effect.DOCUMENTATION, "1.2.3"): "1.2.4",
}
"""What is different from 1.2.3 on for what is safe."""


@pytest.mark.parametrize(("effect", "old", "new", "least"), STEPS)
def test_steps_are_asked_for(effect: Effect, old: str, new: str, least: str) -> None:
    """Breaking changes need a major step, in 0.x too; additions a minor one; words a patch."""
    if old == "1.2.3":
        least = SAFE.get((effect, new), least)
    said = objection([Change("#", Effect.DOCUMENTATION, ""), Change("#", effect, "")], old, new)
    assert (f"x-version {least}, not {new}" in said) if least else not said


@pytest.mark.parametrize("effect", [None, *Effect])
def test_versions_never_go_down(effect: Effect | None) -> None:
    """A lesser version is refused, whatever changed."""
    changes = [Change("#", effect, "")] if effect else []
    assert "went down from 1.10.0 to 1.9.0" in objection(changes, "1.10.0", "1.9.0")


def test_no_change_needs_no_step() -> None:
    """Without a change the version may stay, or be raised."""
    assert objection([], "1.0.0", "1.0.0") == ""
    assert objection([], "1.0.0", "1.0.1") == ""


def test_the_npm_package_has_the_schemas_version() -> None:
    """The npm package's version is x-version, which the package exports beside the digest."""
    package = json.loads((ROOT / "schema" / "package.json").read_bytes())
    document = json.loads((ROOT / SCHEMA_PATH).read_bytes())
    assert package["version"] == document["x-version"] == SCHEMA_VERSION
    assert len(SCHEMA_DIGEST) == 64
