"""From a request's body to a typed payload: parsing, decryption, validation, quarantine.

- `fast_path`: decodes nearly all bodies straight into the types. Its `decode` and
  `decode_selected` are the ways in.
- `slow_path`: decodes the bodies that the fast path refuses, with the modules below.
- `normalization`: replaces the parts of JSON that decoders refuse.
- `limits`: bounds the depth and the cost of a text before it is parsed.
- `parsing`: parses JSON. `out_of_range_numbers`: the numbers in it that no double can hold.
- `encrypted_envelope`: decrypts; the plaintext begins at the fast path again.
- `quarantine`: selects the events of a body. `unisights._schema` validates them.
- `generated`: the decoders that are compiled from the schema.

Nothing here knows requests, options or delivery.
"""
