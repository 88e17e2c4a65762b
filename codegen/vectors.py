"""`python -m codegen.vectors`: records the vectors anew, and shows what has become another.

It encrypts what is sent encrypted, and records each case's problems and, where the case has one,
its decoded session. It never changes whether a case is valid: such cases are listed and left as
they are. Exits with 1 if there are any, with 2 if the generated code is not the schema's.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codegen.document import SchemaError
from codegen.recording import ConflictError, record
from codegen.schema import SCHEMA_PATH, read_schema
from codegen.vector_files import VECTORS, vector_paths
from codegen.vector_layout import lay_out_file
from unisights import SCHEMA_DIGEST

NAMED = 3
"""How many cases are named of those that change alike."""

LONGEST = 60
"""How much of a value is shown."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codegen.vectors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    try:
        is_current = read_schema(SCHEMA_PATH).digest == SCHEMA_DIGEST
        if is_current:
            return record_files(VECTORS)
        print("The generated code is not this schema's: run `make generate`.", file=sys.stderr)
    except (SchemaError, InvalidFileError) as error:
        print(error, file=sys.stderr)
    return 2


class InvalidFileError(Exception):
    """A vector file is not JSON, or has not the members that every file has; says which."""


def record_files(folder: Path) -> int:
    """Record all files of a folder; return 1 if there are conflicts."""
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    conflicts: list[str] = []
    for path in vector_paths(folder):
        text = path.read_text(encoding="utf-8")
        try:
            document = json.loads(text)
            recorded = [_record(case, folder, alike, conflicts) for case in document["cases"]]
        except (LookupError, TypeError, ValueError) as error:
            raise InvalidFileError(f"{path.name}: no vector file: {error!r}") from error
        new = lay_out_file({**document, "cases": recorded})
        if new != text:
            path.write_text(new, encoding="utf-8")
            print(f"wrote {folder.name}/{path.name}")
    for lines, ids in alike.items():
        print(_heading(ids), *(f"  {line}" for line in lines), sep="\n")
    if not alike:
        print("The vectors are as they were.")
    if conflicts:
        print(
            f"{len(conflicts)} cases come out otherwise, and were left as they are. "
            "Correct each, or the schema:",
            *(f"  {conflict}" for conflict in conflicts),
            sep="\n",
            file=sys.stderr,
        )
    return 1 if conflicts else 0


def _record(
    case: dict[str, Any],
    folder: Path,
    alike: dict[tuple[str, ...], list[str]],
    conflicts: list[str],
) -> dict[str, Any]:
    try:
        recorded = record(case, folder)
    except ConflictError as error:
        conflicts.append(f"{case['id']}: {error}")
        return case
    if lines := tuple(dict.fromkeys(_changes(case, recorded))):
        alike[lines].append(case["id"])
    return recorded


def _heading(ids: list[str]) -> str:
    more = f", and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    number = f"{len(ids)} cases" if len(ids) > 1 else "1 case"
    return f"{number}: {', '.join(ids[:NAMED])}{more}"


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """What became of a case, in lines; ciphertexts say nothing to people."""
    ciphered = {"encryption", "data", "body"}
    if any(old.get(key) != new.get(key) for key in ciphered):
        yield "~ encrypted anew"
    legible = ({k: v for k, v in case.items() if k not in ciphered} for case in (old, new))
    yield from _differences("", *legible)


def _differences(place: str, old: Any, new: Any) -> Iterator[str]:
    """What is gone from a value and what is new in it; places of an array are `*`."""
    if isinstance(old, dict) and isinstance(new, dict) and old:
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(f"{place}/{key}", old.get(key, ...), new.get(key, ...))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for pair in zip(old, new, strict=True):
            yield from _differences(f"{place}/*", *pair)
    elif old is ... or new is ... or json.dumps(old) != json.dumps(new):
        yield from [
            f"{sign} {place}: {_short(v)}"
            for sign, v in zip("-+", (old, new), strict=True)
            if v is not ...
        ]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


if __name__ == "__main__":
    sys.exit(main())
