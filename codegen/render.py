"""Renders every generated file as text; comparing and writing are left to the caller."""

import subprocess
from collections.abc import Callable

from ruff import find_ruff_bin

from codegen.emit_contract import emit_contract
from codegen.emit_decoders import emit_decoder, emit_lenient_decoder
from codegen.emit_members import emit_members
from codegen.emit_types import emit_types
from codegen.emit_validators import emit_validators
from codegen.model import Model, build_model
from codegen.schema import ROOT, Schema

BANNER = """\
# GENERATED from schema/unisights.schema.json, version {version}, SHA-256
# {digest}
# Do not edit:
#   1. change the schema (or, for another shape of the code, codegen/);
#   2. run `make generate`;
#   3. commit the schema and what changed here together.
"""

PACKAGE_DOCSTRING = '"""Generated from the schema; private."""\n'

PYTHON_EMITTERS: dict[str, Callable[[Model], str]] = {
    "unisights/types.py": emit_types,
    "unisights/_schema/generated/__init__.py": lambda _model: PACKAGE_DOCSTRING,
    "unisights/_schema/generated/contract.py": emit_contract,
    "unisights/_schema/generated/members.py": emit_members,
    "unisights/_schema/generated/validators.py": emit_validators,
    "unisights/_decoding/generated/__init__.py": lambda _model: PACKAGE_DOCSTRING,
    "unisights/_decoding/generated/decoder.py": emit_decoder,
    "unisights/_decoding/generated/lenient.py": emit_lenient_decoder,
}

SCHEMA_COPY = "unisights/_schema/generated/unisights.schema.json"
"""The schema itself, where the installed package finds it."""

GENERATED = sorted([*PYTHON_EMITTERS, SCHEMA_COPY])
"""The paths of all generated files."""


def render(schema: Schema) -> dict[str, str]:
    """Return `{path: text}` of every generated file, paths relative to the repository's root."""
    model = build_model(schema)
    files = {path: _finish(model, emit(model)) for path, emit in PYTHON_EMITTERS.items()}
    files[SCHEMA_COPY] = schema.text
    return files


def _finish(model: Model, source: str) -> str:
    banner = BANNER.format(version=model.schema.version, digest=model.schema.digest)
    return _format(f"{banner}\n{source}")


def _format(source: str) -> str:
    finished = subprocess.run(
        [find_ruff_bin(), "format", "--stdin-filename", "generated.py", "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"the generated source cannot be formatted:\n{finished.stderr}")
    return finished.stdout
