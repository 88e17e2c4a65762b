"""Generates the package's types, validator and decoders from the canonical JSON Schema."""
