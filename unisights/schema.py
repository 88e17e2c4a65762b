"""The canonical JSON Schema that everything was generated from."""

from unisights._schema.document import inlined_schema, schema_text
from unisights._schema.generated.contract import SCHEMA_DIGEST, SCHEMA_VERSION

__all__ = ["SCHEMA_DIGEST", "SCHEMA_VERSION", "inlined_schema", "schema_text"]
