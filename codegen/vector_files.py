"""The vector files: where they are, and what a case's body is."""

import base64
import json
from pathlib import Path
from typing import Any

from codegen.schema import ROOT

VECTORS = ROOT / "schema" / "vectors"
FORMAT = "vectors.schema.json"
"""The name of the file that describes the others."""


def vector_paths(folder: Path) -> list[Path]:
    """The vector files in a folder; none if there is no such folder."""
    return sorted(set(folder.glob("*.json")) - {folder / FORMAT})


def read_cases(folder: Path) -> list[dict[str, Any]]:
    """The cases of all vector files."""
    return [
        case for path in vector_paths(folder) for case in json.loads(path.read_bytes())["cases"]
    ]


def body_of(case: dict[str, Any], folder: Path) -> bytes | None:
    """The body's bytes; None if the case does not say where they are."""
    if "file" in case:
        return (folder / str(case["file"])).read_bytes()
    if "body_base64" in case:
        return base64.b64decode(case["body_base64"])
    if "body" in case:
        return str(case["body"]).encode()
    return json.dumps(case["data"]).encode() if "data" in case else None
