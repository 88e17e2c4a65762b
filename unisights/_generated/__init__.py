"""Generated from the schema by `make generate`; private."""
