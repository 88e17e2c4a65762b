"""The npm face of the schema: its own tests pass, and its types cannot drift from the schema."""

from pathlib import Path

import pytest

from tests.npm import SCHEMA_DIR, copy_to, run
from unisights import SCHEMA_DIGEST, SCHEMA_VERSION

GENERATED = ["index.d.ts", "package.json", "package-lock.json"]


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of what is generated."""
    return {name: (folder / name).read_bytes() for name in GENERATED}


@pytest.fixture
def package(npm_face: Path, tmp_path: Path) -> Path:
    """A copy of the package that a test may change."""
    folder = copy_to(tmp_path / "schema")
    (folder / "node_modules").symlink_to(npm_face / "node_modules")
    return folder


def test_npm_test_passes(npm_face: Path) -> None:
    """`npm test` passes: ajv in strict mode on every vector, strict TypeScript on a consumer."""
    finished = run(npm_face, "npm", "test")
    assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr


def test_an_edited_schema_makes_the_types_stale(package: Path) -> None:
    """Any change to the schema fails the check, which says what to do and changes nothing."""
    path = package / "unisights.schema.json"
    text = path.read_text(encoding="utf-8")
    assert text.count("The visitor clicked or tapped.") == 1
    path.write_text(text.replace("clicked or tapped", "clicked"), encoding="utf-8")
    before = contents(package)
    checked = run(package, "node", "generate-types.mjs", "--check")
    assert checked.returncode == 1
    assert "stale: schema/index.d.ts" in checked.stderr
    assert "make generate" in checked.stderr
    assert contents(package) == before


def test_another_version_of_the_schema_is_the_packages_too(package: Path) -> None:
    """The package's version follows the schema's: the check names both files."""
    path = package / "unisights.schema.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f'"{SCHEMA_VERSION}"', '"99.0.1"', 1), encoding="utf-8")
    checked = run(package, "node", "generate-types.mjs", "--check")
    assert checked.returncode == 1
    assert [name for name in GENERATED if f"stale: schema/{name}" not in checked.stderr] == []
    assert run(package, "node", "generate-types.mjs").returncode == 0
    assert run(package, "node", "generate-types.mjs", "--check").returncode == 0
    assert (package / "package.json").read_text(encoding="utf-8").count('"99.0.1"') == 1
    assert (package / "package-lock.json").read_text(encoding="utf-8").count('"99.0.1"') == 2


def test_edited_types_are_noticed_and_mended(package: Path) -> None:
    """Hand-edited types fail the check; generating, even from nothing, restores their bytes."""
    types = package / "index.d.ts"
    types.write_text(types.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    checked = run(package, "node", "generate-types.mjs", "--check")
    assert checked.returncode == 1
    assert "stale: schema/index.d.ts" in checked.stderr
    assert "make generate" in checked.stderr
    types.unlink()
    assert run(package, "node", "generate-types.mjs").returncode == 0
    assert contents(package) == contents(SCHEMA_DIR)


def test_generated_types_say_so() -> None:
    """The types begin with what they were made from and how to change them."""
    banner = (SCHEMA_DIR / "index.d.ts").read_text(encoding="utf-8").partition("/**")[0]
    for part in ("GENERATED", "unisights.schema.json", SCHEMA_VERSION, SCHEMA_DIGEST):
        assert part in banner
    assert "make generate" in banner


def test_faults_fail_the_tests_named_for_them(package: Path) -> None:
    """A wrong type, and a vector with a wrong error, fail the tests that are named for them."""
    for name, right, wrong in [
        ("index.d.ts", "  x: number;", "  x: string;"),
        ("vectors/click.json", '"rule": "required"', '"rule": "type"'),
    ]:
        path = package / name
        text = path.read_text(encoding="utf-8")
        assert right in text
        path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    tests = sorted(path.relative_to(package).as_posix() for path in package.glob("test/*.test.mjs"))
    finished = run(package, "node", "--test", "--test-reporter=tap", *tests)
    failed = [line for line in finished.stdout.splitlines() if line.lstrip().startswith("not ok")]
    assert finished.returncode == 1
    for name in ("the types are up to date", "strict TypeScript", "click/x/missing"):
        assert [line for line in failed if name in line] != [], finished.stdout[-5000:]
    assert len(failed) == 4, "click.json itself is the fourth"
