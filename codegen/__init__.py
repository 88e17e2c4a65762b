"""Generates the package's types, validators and decoders from the canonical JSON Schema.

The way through: `schema` reads the file, and `gate` refuses what a generator could not honour;
`model` is the schema as the emitters need it; each `emit_*` module returns the source of what it is
named after; `render` formats it; `__main__` writes the files, or compares them.

The words:

- document: the schema's parsed JSON; its keywords are explained by draft-07.
- wire: what senders write, as opposed to what it is decoded to.
- record: a generated class that is a struct of msgspec and a dataclass.
- wire struct: a private struct that bytes are decoded into first, where a class cannot be decoded
  directly (`wire_structs`).
- strict, lenient: the decoder that takes whole numbers written as `1` only, and the one that takes
  `1.0`, too.

Two files that people write get what is missing in them: `skeleton` adds vectors, which it makes of
`samples`; `reference` writes the tables in the documents.

There are two more commands. `vectors` records what the package makes of the vectors (`recording`);
`evolution` compares the schema with an earlier revision's, by `compare` and `earlier_vectors`.
"""
