"""Emits `_generated/contract.py`: which schema the generated modules were made from."""

from codegen.model import Model

SOURCE = '''"""Which schema the generated modules were made from."""

from typing import Final

SCHEMA_VERSION: Final = {version!r}
"""The schema's semantic version."""

SCHEMA_DIGEST: Final = {digest!r}
"""SHA-256 of the schema file's bytes, in hexadecimal."""
'''


def emit_contract(model: Model) -> str:
    """Return the module's source, not yet formatted."""
    return SOURCE.format(version=model.schema.version, digest=model.schema.digest)
