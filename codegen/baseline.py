"""The schema and the vectors of an earlier revision, by git."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from codegen.document import SchemaError
from codegen.schema import ROOT, SCHEMA_PATH, Schema, read_schema

DEFAULT = ("origin/main", "HEAD~1")
"""What is compared with if nothing is named: the first of these that there is."""

ANOTHER = "Name a revision that can be compared with: make check-schema BASE=<revision>"


class BaselineError(Exception):
    """An earlier revision cannot be read; says what to do."""


@dataclass(frozen=True)
class Baseline:
    """What an earlier revision had.

    Attributes:
        name: the revision, as people call it, and its commit.
        vectors: where its vectors are; the folder may not exist.
    """

    name: str
    schema: Schema
    vectors: Path


def read_baseline(revision: str | None, folder: Path, root: Path = ROOT) -> Baseline:
    """Unpack a revision's schema and vectors into a folder.

    Raises:
        BaselineError: there is no such revision, or no schema in it that the gate takes.
    """
    revision, commit = _resolve(revision, root)
    name = f"{revision} ({commit[:10]})"
    schema_path = SCHEMA_PATH.relative_to(ROOT)
    listed = _git(root, "ls-tree", "--name-only", commit, schema_path.as_posix())
    if listed.returncode or not listed.stdout:
        raise BaselineError(f"{name} has no {schema_path}.\n{ANOTHER}")
    packed = _git(root, "archive", "--format=tar", commit, schema_path.parts[0])
    if packed.returncode:
        raise BaselineError(f"{name} cannot be unpacked: {packed.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    try:
        schema = read_schema(folder / schema_path)
    except SchemaError as error:
        raise BaselineError(
            f"{name}: today's gate refuses its schema: {error}\n{ANOTHER}"
        ) from None
    return Baseline(name, schema, folder / schema_path.parent / "vectors")


def _resolve(revision: str | None, root: Path) -> tuple[str, str]:
    """A revision's name and its commit."""
    candidates = [revision] if revision else DEFAULT
    for candidate in candidates:
        found = _git(root, "rev-parse", "--verify", "--end-of-options", f"{candidate}^{{commit}}")
        if found.returncode == 0:
            return candidate, found.stdout.decode().strip()
    raise BaselineError(
        f"git knows no revision {' nor '.join(candidates)}: {found.stderr.decode().strip()}\n"
        f"Fetch it (a shallow clone lacks earlier ones: git fetch --unshallow), or:\n{ANOTHER}"
    )


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments],  # noqa: S607  # the user's git
            cwd=root,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise BaselineError("git is needed to read earlier revisions; install it.") from None
