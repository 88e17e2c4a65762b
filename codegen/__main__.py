"""`python -m codegen [--check]`: writes the generated files, or says which are stale."""

import argparse
import sys
from pathlib import Path

from codegen.document import SchemaError
from codegen.model import build_model
from codegen.reference import emit_reference
from codegen.render import render
from codegen.schema import ROOT, SCHEMA_PATH, Schema, read_schema
from codegen.skeleton import emit_missing_cases

VECTORS = "schema/vectors"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status: 0, 1 when files are stale, 2 on a bad schema."""
    parser = argparse.ArgumentParser(prog="python -m codegen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if stale")
    options = parser.parse_args(arguments)
    return generate(SCHEMA_PATH, ROOT, check=options.check)


def generate(schema_path: Path, root: Path, *, check: bool) -> int:
    """Generate from the schema into the tree at `root`, or compare that tree with it."""
    try:
        schema = read_schema(schema_path)
        files = render(schema) | _complete(schema, root)
    except SchemaError as error:
        print(f"{schema_path.name}: {error}", file=sys.stderr)
        return 2
    stale = [path for path, text in files.items() if _read(root / path) != text]
    if check:
        for path in stale:
            print(f"stale: {path}", file=sys.stderr)
        if stale:
            print(
                "The generated files differ from the schema: run `make generate` "
                "and commit what it changes.",
                file=sys.stderr,
            )
        return 1 if stale else 0
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path], encoding="utf-8")
        print(f"wrote {path}")
    if not stale:
        print("everything is up to date")
    return 0


def _complete(schema: Schema, root: Path) -> dict[str, str]:
    """The files that people write, with what the schema adds to them."""
    model = build_model(schema)
    missing = emit_missing_cases(model, root / VECTORS)
    return {f"{VECTORS}/{name}": text for name, text in missing.items()} | emit_reference(
        model, root
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
