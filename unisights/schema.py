"""The canonical JSON Schema that everything was generated from."""

from unisights._schema.generated.contract import SCHEMA_DIGEST, SCHEMA_VERSION
from unisights._schema.schema_document import inlined_schema, schema_text

__all__ = ["SCHEMA_DIGEST", "SCHEMA_VERSION", "inlined_schema", "schema_text"]
