"""Compares two schemas that passed the gate: every change of meaning, and whom it breaks.

Senders are those who post payloads: what they sent must stay valid. Receivers are those who read
the generated types, in Python and TypeScript: what they read must stay there and be of its type.
What is not shown to be safe is breaking.

One thing is taken for granted: nobody sent a property under a name before the schema had it.
Unknown properties are allowed everywhere, so a new one would otherwise always be a narrowing.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any

from codegen.document import ANNOTATIONS, reference_name, resolve


class Effect(Enum):
    """What a change does, and to whom."""

    BREAKS_SENDERS = "breaks senders"
    BREAKS_RECEIVERS = "breaks receivers"
    CHANGES_DECODING = "changes decoding"
    UNCLASSIFIED = "unclassified"
    ADDITION = "addition"
    DOCUMENTATION = "documentation"


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        place: where, a JSON Pointer into the new schema, or for what is gone into the old one.
        what: what is different, in words.
    """

    place: str
    effect: Effect
    what: str


Wire = dict[str, Any]
"""A subschema, references resolved."""

Difference = tuple[Effect, str]
"""What a difference in a keyword does, and the difference in words."""


def compare(old: Wire, new: Wire) -> list[Change]:
    """Return every change from one schema document to another, each once."""
    return list(dict.fromkeys(_Comparison(old, new).changes()))


class _Comparison:
    """The walk through both documents, definition by definition."""

    def __init__(self, old: Wire, new: Wire) -> None:
        self._old = old
        self._new = new
        both = [name for name in old["definitions"] if name in new["definitions"]]
        self._pairs = {(name, name): None for name in both}
        """Definitions to compare, in order; renamed ones are found where they are referred to."""
        self._forms = {_definition(name) for name in _forms(new)}

    def changes(self) -> Iterator[Change]:
        yield from self._root()
        for name in self._old["definitions"].keys() - self._new["definitions"].keys():
            yield Change(_definition(name), Effect.BREAKS_RECEIVERS, "the type is gone")
        for name in self._new["definitions"].keys() - self._old["definitions"].keys():
            yield Change(_definition(name), Effect.ADDITION, "the type is new")
        done = 0
        while done < len(self._pairs):
            yield from self._definition(*[*self._pairs][done])
            done += 1

    def _root(self) -> Iterator[Change]:
        apart = {"$schema", "x-version", "definitions", "oneOf"}
        yield from _keywords("#", self._old, self._new, apart=apart)
        was, now = _forms(self._old), _forms(self._new)
        for name in sorted(was - now):
            yield Change("#/oneOf", Effect.BREAKS_SENDERS, f"the form {name} is gone")
        for name in sorted(now - was):
            yield Change("#/oneOf", Effect.UNCLASSIFIED, f"the form {name} is new; {_OVERLAP}")

    def _definition(self, old_name: str, new_name: str) -> Iterator[Change]:
        old, new = self._old["definitions"][old_name], self._new["definitions"][new_name]
        place = _definition(new_name)
        if _kind(old) != _kind(new):
            yield _other_kind(place, old, new)
        elif _kind(new) == "object":
            yield from self._object(place, old, new)
        elif _kind(new) == "union":
            yield from self._union(place, old, new)
        else:
            yield from self._value(place, old, new)

    def _object(self, place: str, old: Wire, new: Wire) -> Iterator[Change]:
        yield from _keywords(place, old, new, apart={"properties", "required"})
        was, now = old.get("properties", {}), new.get("properties", {})
        for name in [*was, *(name for name in now if name not in was)]:
            at = f"{place}/properties/{name}"
            was_required = name in old.get("required", ())
            is_required = name in new.get("required", ())
            is_laxer = name not in now or (was_required and not is_required)
            if is_laxer and place in self._forms:
                yield Change(at, Effect.UNCLASSIFIED, _OVERLAP)
            if name not in now:
                yield Change(at, Effect.BREAKS_RECEIVERS, "the property is gone")
            elif name not in was:
                yield Change(at, *_new_property(new, is_required=is_required))
            else:
                if is_required and not was_required:
                    what = f"{name!r} must be sent"
                    yield Change(f"{place}/required", Effect.BREAKS_SENDERS, what)
                if was_required and not is_required:
                    what = f"{name!r} need not be sent: a receiver may find it absent"
                    yield Change(f"{place}/required", Effect.BREAKS_RECEIVERS, what)
                yield from self._value(at, was[name], now[name], apart={"default"})
                if was_required == is_required:
                    yield from self._default(at, was[name], now[name])

    def _default(self, place: str, old: Wire, new: Wire) -> Iterator[Change]:
        was, now = resolve(self._old, old), resolve(self._new, new)
        if repr(_when_absent(was)) != repr(_when_absent(now)):
            what = f"absent, it is {_when_absent(now)!r} instead of {_when_absent(was)!r}"
            yield Change(f"{place}/default", Effect.CHANGES_DECODING, what)
        elif ("default" in was) != ("default" in now):
            yield Change(f"{place}/default", Effect.DOCUMENTATION, "decodes to the same")

    def _union(self, place: str, old: Wire, new: Wire) -> Iterator[Change]:
        yield from _keywords(place, old, new, apart={"oneOf"})
        was, now = _members(self._old, old), _members(self._new, new)
        for tag in [*was, *(tag for tag in now if tag not in was)]:
            if tag not in now:
                yield Change(f"{place}/oneOf", Effect.BREAKS_SENDERS, f"no type {tag!r} any more")
            elif tag not in was:
                what = f"handlers do not know the type {tag!r}"
                yield Change(f"{place}/oneOf", Effect.BREAKS_RECEIVERS, what)
            else:
                yield from self._reference(f"{place}/oneOf", was[tag], now[tag])

    def _reference(self, place: str, old_name: str, new_name: str) -> Iterator[Change]:
        if old_name != new_name:
            what = f"it is of the type {new_name} instead of {old_name}"
            yield Change(place, Effect.BREAKS_RECEIVERS, what)
        self._pairs[old_name, new_name] = None

    def _value(
        self, place: str, old: Wire, new: Wire, apart: frozenset[str] | set[str] = frozenset()
    ) -> Iterator[Change]:
        """Compare what one place holds, wherever it is written."""
        was, now = resolve(self._old, old), resolve(self._new, new)
        if _kind(was) != _kind(now):
            yield _other_kind(place, was, now)
            return
        if _kind(now) in {"object", "union"}:
            yield from self._reference(place, reference_name(old), reference_name(new))
            was, now = ({k: wire[k] for k in ANNOTATIONS & wire.keys()} for wire in (was, now))
        # What comes from a definition that both refer to is reported once, there.
        shared = reference_name(new) if old.get("$ref") == new.get("$ref") is not None else ""
        own = {*old, *new}
        inherited = {*was, *now} - own if shared else set()
        yield from _keywords(place, was, now, apart={*apart, "items", *inherited})
        if shared:
            local = {*was, *now} - inherited
            yield from _keywords(_definition(shared), was, now, apart={*apart, "items", *local})
        if "items" in now:
            yield from self._value(f"{place}/items", was["items"], now["items"])


_OVERLAP = "a payload that is valid by two forms is not valid"


def _definition(name: str) -> str:
    return f"#/definitions/{name}"


def _forms(document: Wire) -> set[str]:
    """The definitions that a whole payload may have."""
    return {reference_name(branch) for branch in document.get("oneOf", ())}


def _kind(wire: Wire) -> str:
    if "oneOf" in wire:
        return "union"
    if "const" in wire:
        return "constant"
    return str(wire["type"]) if wire["type"] in ("object", "array") else "scalar"


def _other_kind(place: str, old: Wire, new: Wire) -> Change:
    return Change(place, Effect.UNCLASSIFIED, f"{_kind(new)} instead of {_kind(old)}")


def _new_property(holder: Wire, *, is_required: bool) -> Difference:
    if is_required:
        return Effect.BREAKS_SENDERS, "a property that must be sent is new"
    if isinstance(holder.get("additionalProperties"), dict):
        return Effect.BREAKS_RECEIVERS, "the property is no longer one of `extra`"
    return Effect.ADDITION, "the property is new"


def _members(document: Wire, union: Wire) -> dict[str, str]:
    """The definition that each `type` stands for."""
    names = [reference_name(branch) for branch in union["oneOf"]]
    return {document["definitions"][n]["properties"]["type"]["const"]: n for n in names}


def _types(wire: Wire) -> set[str]:
    declared = wire["type"]
    return set(declared) if isinstance(declared, list) else {declared}


def _decoded(wire: Wire) -> set[str]:
    """The types that a value decodes to: numbers that decoders make whole are integers."""
    whole = wire.get("x-decode", {}).get("integer")
    return {"integer" if whole and name == "number" else name for name in _types(wire)}


def _clamp(wire: Wire) -> Any:
    return wire.get("x-decode", {}).get("maximum")


def _when_absent(wire: Wire) -> Any:
    """What a property decodes to when it is absent."""
    default = wire.get("default")
    if default is not None and _kind(wire) == "scalar" and "number" in _decoded(wire):
        return float(default)
    return default


# The keywords.


def _keywords(place: str, old: Wire, new: Wire, apart: set[str]) -> Iterator[Change]:
    """Compare keyword by keyword, but for those that the caller compares itself."""
    for keyword in sorted({*old, *new} - apart):
        if _text(keyword, old) != _text(keyword, new):
            rule = _RULES.get(keyword, _unknown)
            for effect, what in rule(keyword, old, new):
                yield Change(f"{place}/{keyword}", effect, what)


def _text(keyword: str, wire: Wire) -> str:
    # Unlike ==, this tells false from 0, and null from nothing.
    return json.dumps(wire[keyword], sort_keys=True) if keyword in wire else "nothing"


def _unknown(keyword: str, _old: Wire, _new: Wire) -> Iterator[Difference]:
    yield Effect.UNCLASSIFIED, f"what {keyword} means is not known here"


def _words(keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    if keyword in old and keyword in new:
        yield Effect.DOCUMENTATION, "is another"
    else:
        yield Effect.DOCUMENTATION, "is new" if keyword in new else "is gone"


def _title(_keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    if "title" in old:
        what = f"TypeScript's type was {old['title']}, is {new.get('title', 'without a name')}"
        yield Effect.BREAKS_RECEIVERS, what
    else:
        yield Effect.ADDITION, "TypeScript's type has a name"


def _identifier(_keyword: str, _old: Wire, _new: Wire) -> Iterator[Difference]:
    yield Effect.BREAKS_RECEIVERS, "the schema is no longer found by its $id"


def _type(_keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    was, now = _types(old), _types(new)
    if was == now:
        return
    taken = now | ({"integer"} if "number" in now else set())
    if refused := was - taken:
        yield Effect.BREAKS_SENDERS, f"no longer {' or '.join(sorted(refused))}"
    if now == {"null"}:
        yield Effect.BREAKS_RECEIVERS, "what can only be null is no attribute"
    elif unheard := _decoded(new) - _decoded(old):
        yield Effect.BREAKS_RECEIVERS, f"may be {' or '.join(sorted(unheard))}"
    elif not refused:
        yield Effect.ADDITION, f"also {' or '.join(sorted(now - was))}"


def _decoding(_keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    if _decoded(old) == _decoded(new) and _clamp(old) == _clamp(new):
        yield Effect.DOCUMENTATION, "decodes to the same"
    else:
        was, now = (json.dumps(wire.get("x-decode", {})) for wire in (old, new))
        yield Effect.CHANGES_DECODING, f"{now} instead of {was}"


def _constant(keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    yield Effect.BREAKS_SENDERS, f"no longer {_text(keyword, old)}"
    yield Effect.BREAKS_RECEIVERS, f"is {_text(keyword, new)}"


def _enum(_keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    was, now = old.get("enum"), new.get("enum")
    if was is None:
        yield Effect.BREAKS_SENDERS, f"nothing but {', '.join(new['enum'])}"
    elif now is None:
        yield Effect.BREAKS_RECEIVERS, "may be any string"
    else:
        if gone := set(was) - set(now):
            yield Effect.BREAKS_SENDERS, f"no longer {', '.join(sorted(gone))}"
        if added := set(now) - set(was):
            yield Effect.BREAKS_RECEIVERS, f"may be {', '.join(sorted(added))}"


_UNBOUND = {"minimum": -inf, "maximum": inf, "minLength": 0, "maxLength": inf}
"""What each bound is where it is not written."""


def _bound(keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    was, now = (wire.get(keyword, _UNBOUND[keyword]) for wire in (old, new))
    if was == now:
        return
    tighter = now > was if keyword.startswith("min") else now < was
    what = f"{new.get(keyword, 'no bound')} instead of {old.get(keyword, 'no bound')}"
    yield Effect.BREAKS_SENDERS if tighter else Effect.ADDITION, what


def _pattern(_keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    if "pattern" not in new:
        yield Effect.ADDITION, "any string"
    else:
        how = "other strings are taken" if "pattern" in old else "not every string is taken"
        yield Effect.BREAKS_SENDERS, f"not known to take what was taken: {how}"


def _additional(_keyword: str, old: Wire, new: Wire) -> Iterator[Difference]:
    was, now = (isinstance(wire.get("additionalProperties"), dict) for wire in (old, new))
    if now and not was:
        yield Effect.BREAKS_SENDERS, "of unnamed properties, only strings are taken"
    elif was and not now:
        yield Effect.BREAKS_RECEIVERS, "unnamed properties are not kept: no `extra`"
    elif was:
        for change in _keywords(
            "", old["additionalProperties"], new["additionalProperties"], set()
        ):
            yield change.effect, f"{change.place.lstrip('/')}: {change.what}"


_RULES: dict[str, Callable[[str, Wire, Wire], Iterator[Difference]]] = {
    "title": _title,
    "description": _words,
    "examples": _words,
    "default": _words,
    "x-expects": _words,
    "$id": _identifier,
    "type": _type,
    "x-decode": _decoding,
    "const": _constant,
    "enum": _enum,
    "minimum": _bound,
    "maximum": _bound,
    "minLength": _bound,
    "maxLength": _bound,
    "pattern": _pattern,
    "additionalProperties": _additional,
}
"""What a difference in each keyword means. A default means something to properties alone."""
