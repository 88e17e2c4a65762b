"""Runs an earlier version's vectors with the present decoder and validator.

What was valid must be valid and decode to the same, whatever the schemas say of it. A session may
have more in it than it had: new properties have their defaults. What refusals say is not compared.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codegen.compare import Change, Effect
from codegen.vector_files import body_of
from unisights import (
    UnisightsError,
    UnisightsPayload,
    decode_unisights_payload,
    validate_unisights_payload,
)


def run_cases(cases: list[dict[str, Any]], folder: Path) -> list[Change]:
    """Return how the cases come out otherwise than they say, each once."""
    return list(dict.fromkeys(change for case in cases for change in _run(case, folder)))


def _run(case: dict[str, Any], folder: Path) -> Iterator[Change]:
    body = body_of(case, folder)
    if body is None:
        what = "where its body is written is not known here"
        yield Change(f"vector {case['id']}", Effect.UNCLASSIFIED, what)
        return
    yield from _run_with(decode_unisights_payload, body, case)
    if "data" in case:
        yield from _run_with(validate_unisights_payload, case["data"], case)


def _run_with(
    call: Callable[..., UnisightsPayload], argument: Any, case: dict[str, Any]
) -> Iterator[Change]:
    place = f"vector {case['id']}"
    try:
        payload = call(argument, server_secret=case.get("server_secret"))
    except UnisightsError as error:
        if case["valid"]:
            yield Change(place, Effect.BREAKS_SENDERS, f"was valid, is refused: {error}")
        return
    if not case["valid"]:
        yield Change(place, Effect.ADDITION, "was refused, is valid")
    elif "decoded" in case:
        for what in _differences(case["decoded"], payload.data.to_dict(), ""):
            yield Change(place, Effect.CHANGES_DECODING, what)


def _differences(old: Any, new: Any, pointer: str) -> Iterator[str]:
    """Where the new value lacks something of the old one, or has another in its place."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            if key in new:
                yield from _differences(value, new[key], f"{pointer}/{key}")
            else:
                yield f"{pointer}/{key} is gone"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(*pair, f"{pointer}/{index}")
    elif json.dumps(old) != json.dumps(new):
        yield f"{pointer} was {json.dumps(old)}, is {json.dumps(new)}"
