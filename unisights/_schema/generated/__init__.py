# GENERATED from schema/unisights.schema.json, version 1.0.0, SHA-256
# 76669b7a4ce7afea5b7186fa877e8d6cdc95be8b177cb93ace208a15d18606c0
# Do not edit:
#   1. change the schema (or, for another shape of the code, codegen/);
#   2. run `make generate`;
#   3. commit the schema and what changed here together.

"""Generated from the schema; private."""
