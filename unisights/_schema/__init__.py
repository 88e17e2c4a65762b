"""The schema at run time, without the types that are generated from it.

- `generated`: the schema's file and the validators that are compiled from it.
- `schema_document`: reads the schema's file.
- `checks`: which of the schema's rules are enforced.
- `validation`: validates parsed JSON. `violations`: broken rules. `messages`: the same in words.
- `parsed_json`: checks objects that the caller parsed.
- `structs`, `conversions`, `clock_skew`, `content_id`: parts of the generated types.

Nothing here imports `unisights.types`, which is generated from it. All layers above may import from
here.
"""
