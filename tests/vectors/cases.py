"""The vectors, as their files have them."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.referee import Problems, is_finite, parse
from tests.support import ROOT

VECTOR_DIR = ROOT / "schema" / "vectors"
FORMAT = VECTOR_DIR / "vectors.schema.json"
FILES = sorted(set(VECTOR_DIR.glob("*.json")) - {FORMAT})


@dataclass(frozen=True)
class Vector:
    """A case, as its file has it."""

    file: Path
    case: dict[str, Any]

    def __str__(self) -> str:
        """Name the case, for the tests' ids."""
        return str(self.case["id"])

    @cached_property
    def body(self) -> bytes:
        """The body's bytes."""
        if "file" in self.case:
            return (VECTOR_DIR / self.case["file"]).read_bytes()
        if "body_base64" in self.case:
            return base64.b64decode(self.case["body_base64"])
        if "body" in self.case:
            return str(self.case["body"]).encode()
        return json.dumps(self.case["data"]).encode()

    @cached_property
    def parsed(self) -> Any:
        """What the standard library reads from the body; infinite where no double holds a number.

        Raises:
            ValueError: it is not JSON.
        """
        return parse(self.body)

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON of which every number is a double."""
        try:
            return is_finite(self.parsed)
        except ValueError:
            return False

    @property
    def errors(self) -> Problems:
        """What is expected to be wrong."""
        return {(error["pointer"], error["rule"]) for error in self.case["errors"]}

    @property
    def encryption(self) -> dict[str, Any] | None:
        """How the body was encrypted, if it was."""
        found: dict[str, Any] | None = self.case.get("encryption")
        return found

    @property
    def key_inputs(self) -> dict[str, Any]:
        """What the sender's key was derived from."""
        assert self.encryption
        names = ("site_id", "bucket", "ua_hash", "server_secret")
        return {name: self.encryption[name] for name in names if name in self.encryption}

    @property
    def plaintext(self) -> bytes:
        """What was encrypted."""
        assert self.encryption
        if "plaintext" in self.encryption:
            return str(self.encryption["plaintext"]).encode()
        return base64.b64decode(self.encryption["plaintext_base64"])


VECTORS = [
    Vector(path, case)
    for path in FILES
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
]
JSON_VECTORS = [vector for vector in VECTORS if vector.is_json]
ENCRYPTED = [vector for vector in VECTORS if vector.encryption]


def each(vectors: list[Vector]) -> Callable[[Callable[[Vector], None]], Callable[[Path], None]]:
    """Run a test for each of the vectors; those of a file are one item of pytest.

    To start, report and send to another process costs an item more than such a test takes. All
    vectors are tried whatever fails, and each that fails is named, with what failed.
    """
    files = sorted({vector.file for vector in vectors})

    def decorate(test: Callable[[Vector], None]) -> Callable[[Path], None]:
        @pytest.mark.parametrize("path", files, ids=lambda path: path.stem)
        def test_all_of(path: Path) -> None:
            failures = []
            for vector in vectors:
                if vector.file == path:
                    try:
                        test(vector)
                    except Exception as error:  # noqa: BLE001  # whatever fails is raised below
                        error.add_note(f"the vector is {vector}")
                        failures.append(error)
            if failures:
                raise ExceptionGroup("vectors fail", failures)

        test_all_of.__name__ = test.__name__
        test_all_of.__doc__ = test.__doc__
        return test_all_of

    return decorate
