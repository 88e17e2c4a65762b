"""Cases for what has none: those that can be made from the schema alone.

For each property that no case is about: without it, with a value of every JSON type, and on both
sides of each bound. For each type of event that no case is about: a valid one, and encrypted ones.
What else there is to show, only a person can think of.

Whether such a body is valid is what `jsonschema` says. What a receiver makes of it is left blank;
`codegen.recording` fills it in.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema

from codegen.model import Field, Model, ObjectType
from codegen.payload import PAYLOAD
from codegen.samples import Place, find_places, sample_field, sample_object
from codegen.vector_files import vector_paths
from codegen.vector_layout import lay_out_file

Case = dict[str, Any]

BLANK: dict[str, Any] = {}
"""A session that is yet to be recorded."""

_BLANK_ENCRYPTION = {
    "key": "0" * 64,
    "ciphertext": "not encrypted yet",
    "tag": "not authenticated yet",
}

_FILES = {PAYLOAD: "payload", "UnisightsData": "session"}
"""The files of definitions that are not named after them."""

_UNION_FILE = "events"
"""The file of the union's members; their data has files of its own."""

Shown = tuple[str, str, Any]
"""A value of a property: a label, words, and the value."""

_OF_EVERY_TYPE: list[Shown] = [
    ("null", "null", None),
    ("true", "true", True),
    ("false", "false", False),
    ("number", "a number", 5),
    ("string", "a string", "5"),
    ("array", "an empty array", []),
    ("object", "an empty object", {}),
]

_ODD_TEXTS = ["", " ", "-", "~", "x y", "\n"]
"""Strings of which most patterns take none."""


def emit_missing_cases(model: Model, folder: Path) -> dict[str, str]:
    """Return the new text of each vector file in which cases are missing, by the file's name."""
    if not folder.is_dir():
        return {}
    documents = {path.stem: json.loads(path.read_bytes()) for path in vector_paths(folder)}
    shown = [one for document in documents.values() for one in _shown_by(document["cases"])]
    changed = set()
    for group in _Skeleton(model).groups():
        if not any(one.startswith(group.prefix) for one in shown):
            new = {"description": group.subject, "cases": []}
            documents.setdefault(group.file, new)["cases"] += group.make()
            changed.add(group.file)
    return {f"{name}.json": lay_out_file(documents[name]) for name in sorted(changed)}


def _shown_by(cases: list[Case]) -> Iterator[str]:
    """The cases' ids; a type of event that any case encrypts needs none of its own."""
    for case in cases:
        yield str(case["id"])
        plaintext = case.get("encryption", {}).get("plaintext", "")
        yield from (f"{tag}/encrypted/" for tag in re.findall(r'"type":"(\w+)"', plaintext))


@dataclass(frozen=True)
class _Group:
    """Cases that belong together; they are missing if there is none of them.

    Attributes:
        file: the name of their file, without `.json`.
        subject: what the file is about, if it is new.
        prefix: what their ids begin with.
    """

    file: str
    subject: str
    prefix: str
    make: Callable[[], Iterator[Case]]


class _Skeleton:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._validator = jsonschema.Draft7Validator(model.schema.document)
        self._tags = {
            member: tag for union in model.unions.values() for tag, member in union.members.items()
        }
        self._tags_of_data = {
            f.value.name: tag
            for member, tag in self._tags.items()
            for f in model.objects[member].fields
            if f.value.kind == "object" and f.name == "data"
        }

    def groups(self) -> Iterator[_Group]:
        """What cases there should be of every object that a plain payload can hold."""
        for name, place in find_places(self._model).items():
            obj = self._model.objects[name]
            file, above = self._file_of(name)
            subject = str(self._model.schema.definitions[name]["description"])
            for f in obj.fields:
                prefix = f"{file}/{above}{f.name}/"
                if f.value.kind != "const":
                    make = partial(self._of_property, obj, place, f, prefix)
                    yield _Group(file, subject, prefix, make)
            if tag := self._tags.get(name):
                prefix = f"{file}/{above}valid"
                yield _Group(file, subject, prefix, partial(self._valid, obj, place, prefix))
                prefix = f"{tag}/encrypted/"
                yield _Group(tag, subject, prefix, partial(self._encrypted, obj, place, prefix))

    def _file_of(self, name: str) -> tuple[str, str]:
        """The file of a definition's cases, and what stands before a property in their ids."""
        if name in self._tags:
            return _UNION_FILE, f"{self._tags[name]}/"
        words = re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
        return self._tags_of_data.get(name, _FILES.get(name, words)), ""

    # Plain ones.

    def _of_property(self, obj: ObjectType, place: Place, f: Field, prefix: str) -> Iterator[Case]:
        absent = sample_object(self._model, obj.name)
        absent.pop(f.name, None)
        yield self._case(f"{prefix}missing", f"Without {f.name}.", obj, place, absent)
        valid = sample_field(self._model, f)
        for label, words, value in [*_OF_EVERY_TYPE, *_around_bounds(f.value.wire, valid)]:
            what = f"{obj.name}'s {f.name}: {words}."
            yield self._case(f"{prefix}{label}", what, obj, place, {**absent, f.name: value})

    def _valid(self, obj: ObjectType, place: Place, identifier: str) -> Iterator[Case]:
        what = f"An event of type {self._tags[obj.name]} with what it requires."
        yield self._case(identifier, what, obj, place, sample_object(self._model, obj.name))

    def _case(
        self, identifier: str, description: str, obj: ObjectType, place: Place, value: Any
    ) -> Case:
        validator = self._validator.evolve(schema={"$ref": f"#/definitions/{obj.name}"})
        errors = {
            (place.pointer + "".join(f"/{step}" for step in error.absolute_path), error.validator)
            for error in validator.iter_errors(value)
        }
        case: Case = {
            "id": identifier,
            "description": description,
            "data": {"encrypted": False, **place.payload(value)},
            "valid": not errors,
            "errors": [{"pointer": pointer, "rule": rule} for pointer, rule in sorted(errors)],
        }
        return case if errors else {**case, "decoded": BLANK}

    # Encrypted ones.

    def _encrypted(self, obj: ObjectType, place: Place, prefix: str) -> Iterator[Case]:
        """In both forms, with whole numbers as plain and as encrypted clients write them."""
        session = place.payload(sample_object(self._model, obj.name))["data"]
        for numbers, written in (("session", session), ("floats", _floats(session))):
            encryption = {
                "site_id": session["asset_id"],
                "bucket": 59845534,
                "ua_hash": "",
                "plaintext": json.dumps(written, ensure_ascii=False, separators=(",", ":")),
                **_BLANK_ENCRYPTION,
            }
            text = encryption["ciphertext"]
            shared = {key: encryption[key] for key in ("tag", "bucket", "site_id", "ua_hash")}
            bodies = {
                "root": {"data": text, **shared, "encrypted": True},
                "envelope": {"encrypted": True, "envelope": {**shared, "ciphertext": text}},
            }
            for form, body in bodies.items():
                yield {
                    "id": f"{prefix}{form}/{numbers}",
                    "description": f"An event of type {self._tags[obj.name]}, encrypted.",
                    "data": body,
                    "encryption": encryption,
                    "valid": True,
                    "errors": [],
                    "decoded": BLANK,
                }


def _around_bounds(wire: dict[str, Any], valid: Any) -> Iterator[Shown]:
    """A valid value, and what is on both sides of each of the schema's keywords."""
    yield "example", "as in the schema", valid
    if "integer" in wire["type"]:
        yield "fraction", "a fraction", valid + 0.5
    if "enum" in wire:
        for value in wire["enum"]:
            yield f"is-{re.sub('[^a-zA-Z0-9_.+-]', '_', value)}", f"may be {value}", value
        yield "unknown", "no such value", f"{valid}?"
    elif "pattern" in wire:
        unlike = [text for text in _ODD_TEXTS if not re.search(wire["pattern"], text)]
        yield from (("unlike", "what the pattern does not take", text) for text in unlike[:1])
    else:
        yield from _around_lengths(wire)
    yield from _around_numbers(wire)
    yield from _around_decoding(wire, valid)


def _around_lengths(wire: dict[str, Any]) -> Iterator[Shown]:
    for keyword, outside in (("minLength", -1), ("maxLength", 1)):
        if wire.get(keyword, 0) > 0:
            length = wire[keyword]
            yield f"at-{keyword}", f"as long as {keyword}", "x" * length
            yield f"beyond-{keyword}", f"one beyond {keyword}", "x" * (length + outside)


def _around_numbers(wire: dict[str, Any]) -> Iterator[Shown]:
    for keyword, outside in (("minimum", -1), ("maximum", 1)):
        if keyword in wire:
            bound = wire[keyword]
            is_whole = "integer" in wire["type"]
            beyond = bound + outside if is_whole else math.nextafter(bound, outside * math.inf)
            yield f"at-{keyword}", f"at the {keyword}", bound
            yield f"beyond-{keyword}", f"just beyond the {keyword}", beyond


def _around_decoding(wire: dict[str, Any], valid: Any) -> Iterator[Shown]:
    directives = wire.get("x-decode", {})
    if directives.get("integer"):
        yield "rounded-down", "a fraction is rounded down", valid + 0.5
    if "maximum" in directives:
        clamp = directives["maximum"]
        yield "at-clamp", "the greatest value that is decoded", clamp
        yield "above-clamp", "a greater one is clamped", clamp * 2


def _floats(value: Any) -> Any:
    """Parsed JSON with every number as a float, as encrypted clients write them."""
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if type(value) is int else value
