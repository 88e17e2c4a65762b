"""From a request's body to a typed payload: parsing, decryption, validation, quarantine.

`fast_path.decode` is the way in, for the collector, for replays, and for `unisights.validator`, the
public door. `quarantine.Selection` says which events of a body are wanted, and knows afterwards
which were set aside. A body goes down from module to module, and no further than it must:

    fast_path       the fast path; decodes nearly all bodies straight into the types
    slow_path       decodes what the fast path refuses, with the help of:
    normalization   replaces what may stand in JSON, but what no decoder takes
    parsing         parses, within `limits`; `out_of_range` are numbers that no double can hold
    encrypted_envelope  decrypts; the plaintext begins at the fast path again
    quarantine      selects the wanted events; `unisights._schema` validates, the types are built

Nothing here knows of requests, options, or delivery. It imports `unisights.types`, `_schema`,
`encryption` and `errors`.
"""
