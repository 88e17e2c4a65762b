"""Reads the canonical schema."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegen.document import SchemaError
from codegen.gate import check_document

ROOT = Path(__file__).resolve().parent.parent
SCHEMA_PATH = ROOT / "schema" / "unisights.schema.json"


@dataclass(frozen=True)
class Schema:
    """The canonical schema: its bytes, its parsed document, and what identifies it."""

    text: str
    document: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal: what `sha256sum` prints."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def version(self) -> str:
        """The schema's semantic version, its `x-version`."""
        return str(self.document["x-version"])

    @property
    def definitions(self) -> dict[str, Any]:
        """The named subschemas."""
        return dict(self.document["definitions"])


def read_schema(path: Path = SCHEMA_PATH) -> Schema:
    """Read the schema and check it.

    Raises:
        SchemaError: the file is not JSON, not a draft-07 schema, or uses a keyword that one
            of the generators cannot honour. The message holds the JSON Pointer of the place.
    """
    text = path.read_text(encoding="utf-8")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SchemaError(f"{path.name} is not JSON: {error}") from error
    check_document(document)
    return Schema(text, document)
