"""`python -m codegen.evolution [BASE]`: compares the schema with an earlier revision's.

Lists what changed and whom it breaks, runs the earlier revision's vectors, and asks for the step
of x-version that this needs: major for what breaks senders or receivers or changes decoding, minor
for additions, patch for words. Exits with 1 if the step is too small, with 2 if there is nothing
to compare with.
"""

import argparse
import sys
import tempfile
from enum import IntEnum
from pathlib import Path

from codegen.baseline import DEFAULT, BaselineError, read_baseline
from codegen.compare import Change, Effect, compare
from codegen.document import SchemaError
from codegen.earlier_vectors import run_cases
from codegen.schema import SCHEMA_PATH, read_schema
from codegen.vector_files import read_cases
from unisights import SCHEMA_DIGEST


class Step(IntEnum):
    """How far a version goes from another, by Semantic Versioning."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


NEEDED = {Effect.DOCUMENTATION: Step.PATCH, Effect.ADDITION: Step.MINOR}
"""The step that each effect needs; a major one where nothing is said."""

MOST_VECTORS = 10
"""How many vectors are shown of each effect: what breaks one often breaks hundreds."""

Version = tuple[int, int, int]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codegen.evolution",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "base",
        nargs="?",
        metavar="BASE",
        help=f"the earlier revision, for git: {', or without it '.join(DEFAULT)} if not given",
    )
    options = parser.parse_args(arguments)
    try:
        return check(options.base)
    except (BaselineError, SchemaError) as error:
        print(error, file=sys.stderr)
        return 2


def check(revision: str | None) -> int:
    """Compare with a revision and print what is found; return 1 if the version must be raised."""
    schema = read_schema(SCHEMA_PATH)
    if schema.digest != SCHEMA_DIGEST:
        raise SchemaError("The generated code is not this schema's: run `make generate` first.")
    with tempfile.TemporaryDirectory() as folder:
        baseline = read_baseline(revision, Path(folder))
        cases = read_cases(baseline.vectors)
        changes = compare(baseline.schema.document, schema.document)
        of_vectors = run_cases(cases, baseline.vectors)
    old, new = baseline.schema.version, schema.version
    print(f"{SCHEMA_PATH.name}: {old} at {baseline.name}, {new} here")
    print(f"Changes: {len(changes) or 'none'}")
    _print(changes, most=len(changes))
    print(f"Vectors of then that come out otherwise: {len(of_vectors)} changes in {len(cases)}")
    _print(of_vectors, most=MOST_VECTORS)
    if refused := objection(changes + of_vectors, old, new):
        print(refused, file=sys.stderr)
        return 1
    print("x-version needs no further step.")
    return 0


def _print(changes: list[Change], most: int) -> None:
    for effect in Effect:
        found = [change for change in changes if change.effect is effect]
        for change in found[:most]:
            print(f"  {effect.value:<16}  {change.place}: {change.what}")
        if len(found) > most:
            print(f"  {effect.value:<16}  … and {len(found) - most} more")


def objection(changes: list[Change], old: str, new: str) -> str:
    """Why a version does not do for the changes since another; empty if it does.

    Versions 0.x are no exception: what breaks needs 1.0.0.
    """
    if _parsed(new) < _parsed(old):
        return f"x-version went down from {old} to {new}: versions never do."
    needed = max((NEEDED.get(change.effect, Step.MAJOR) for change in changes), default=Step.NONE)
    if _step(old, new) >= needed:
        return ""
    return f"This needs a {needed.name.lower()} step: x-version {_least(old, needed)}, not {new}."


def _parsed(version: str) -> Version:
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def _step(old: str, new: str) -> Step:
    pairs = zip(_parsed(old), _parsed(new), (Step.MAJOR, Step.MINOR, Step.PATCH), strict=True)
    return next((step for was, now, step in pairs if was != now), Step.NONE)


def _least(old: str, step: Step) -> str:
    """The least version that is a step on."""
    major, minor, patch = _parsed(old)
    if step is Step.MAJOR:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if step is Step.MINOR else f"{major}.{minor}.{patch + 1}"


if __name__ == "__main__":
    sys.exit(main())
