"""Records what the package makes of a vector: its ciphertext, its problems, and its session.

Whether a body is valid is for a person to say. A case that would come out otherwise is a conflict.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codegen.vector_files import body_of
from unisights import (
    InvalidJSONError,
    UnisightsPayload,
    ValidationError,
    decode_unisights_payload,
    validate_unisights_payload,
)
from unisights.encryption import derive_key, encrypt

Case = dict[str, Any]

Result = tuple[UnisightsPayload | None, list[dict[str, str]]]
"""The payload, if the body is valid, and the errors as a case lists them."""

_KEY_INPUTS = ("site_id", "bucket", "ua_hash", "server_secret")


class ConflictError(Exception):
    """A case cannot be recorded as it stands; says why."""


def record(case: Case, folder: Path) -> Case:
    """Return a case as it is recorded now.

    Args:
        case: the case, as its file has it.
        folder: where the files are that cases name.

    Raises:
        ConflictError: it says valid and the package says invalid, or the other way round; the
            package's ways to decode disagree; or its ciphertext is not that of its inputs.
    """
    case = _encrypted(case)
    secret = case.get("server_secret")
    body = body_of(case, folder)
    if body is None:
        raise ConflictError("it has no body")
    payload, errors = _run(decode_unisights_payload, body, secret)
    if "data" in case and (payload, errors) != _run(
        validate_unisights_payload, case["data"], secret
    ):
        raise ConflictError("the decoder and the validator disagree about it")
    if case["valid"] and payload is None:
        raise ConflictError(f"it says valid, and is refused: {_in_words(errors)}")
    if payload is not None and not case["valid"]:
        raise ConflictError(f"it says {_in_words(case['errors'])}, and is valid")
    case["errors"] = errors
    if payload is not None and "decoded" in case:
        decoded = payload.data.to_dict()
        if _text(decoded) != _text(case["decoded"]):
            case["decoded"] = decoded
    return case


def _run(call: Callable[..., UnisightsPayload], argument: Any, secret: str | None) -> Result:
    try:
        return call(argument, server_secret=secret), []
    except InvalidJSONError:
        return None, [{"pointer": "", "rule": "json"}]
    except ValidationError as error:
        found = sorted({(problem.pointer, problem.rule) for problem in error.problems})
        return None, [{"pointer": pointer, "rule": rule} for pointer, rule in found]


def _encrypted(case: Case) -> Case:
    """A copy of the case, encrypted anew in both places if its inputs do not give what it has."""
    if "encryption" not in case:
        return dict(case)
    old = case["encryption"]
    inputs = {name: old[name] for name in _KEY_INPUTS if name in old}
    ciphertext, tag = encrypt(_plaintext(old), **inputs)
    made = {
        "key": derive_key(**inputs).hex(),
        "ciphertext": base64.b64encode(ciphertext).decode(),
        "tag": base64.b64encode(tag).decode(),
    }
    if made.items() <= old.items():
        return dict(case)
    names = ("ciphertext", "tag")
    kind = "data" if "data" in case else "body"
    body = json.dumps(case.get(kind), ensure_ascii=False)
    if kind not in case or not all(old[name] in body for name in names):
        raise ConflictError("its encryption is another, and its body does not hold the old one")
    for name in names:
        body = body.replace(old[name], made[name])
    return {**case, kind: json.loads(body), "encryption": {**old, **made}}


def _plaintext(encryption: dict[str, Any]) -> bytes:
    if "plaintext" in encryption:
        return str(encryption["plaintext"]).encode()
    return base64.b64decode(encryption["plaintext_base64"])


def _in_words(errors: list[dict[str, str]]) -> str:
    return ", ".join(f"{error['pointer'] or 'the body'} {error['rule']}" for error in errors)


def _text(value: Any) -> str:
    # Unlike ==, this tells 1 from 1.0, and false from 0.
    return json.dumps(value, sort_keys=True)
