"""What the schema says of a payload, without the types that are generated from it.

Here are the schema's document, the compiled validators, what they report in words, and what the
classes of `unisights.types` are made with: their base, how they are built, and the payload's
derived properties. Nothing here imports those classes.

`unisights.types`, `unisights.schema` and `_decoding` may import all of it; whoever else wants a
body's content id imports `content_id`. It imports `unisights.errors` only.
"""
