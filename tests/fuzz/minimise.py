"""From a body on which judges disagree to a small one, written as a vector."""

import base64
import contextlib
import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

from tests.fuzz.judges import expect
from tests.fuzz.mutations import holder_of, paths_of

MAX_TRIES = 2_000

Test = Callable[[bytes], bool]


def minimise(body: bytes, disagrees: Test) -> bytes:
    """A smaller body on which the judges still disagree: first as JSON, then as bytes."""
    tries = 0

    def is_worse(candidate: bytes) -> bool:
        nonlocal tries
        tries += 1
        return tries <= MAX_TRIES and len(candidate) < len(body) and disagrees(candidate)

    with contextlib.suppress(ValueError, RecursionError):
        body = _without_places(json.loads(body), is_worse) or body
    return _without_bytes(body, is_worse)


def _without_places(obj: Any, is_worse: Test) -> bytes | None:
    smallest, found = obj, None
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for path in paths_of(smallest):
            candidate = copy.deepcopy(smallest)
            del holder_of(candidate, path)[path[-1]]
            body = json.dumps(candidate, separators=(",", ":")).encode()
            if is_worse(body):
                smallest, found, is_smaller = candidate, body, True
                break
    return found


def _without_bytes(body: bytes, is_worse: Test) -> bytes:
    size = len(body) // 2
    while size:
        start = 0
        while start < len(body):
            candidate = body[:start] + body[start + size :]
            if is_worse(candidate):
                body = candidate
            else:
                start += size
        size //= 2
    return body


def as_vector(body: bytes, complaints: list[str]) -> str:
    """A body as a case for `schema/vectors/`; what is expected is what the referee says."""
    expected = expect(body)
    problems = sorted(expected.problems or ())
    case = {
        "id": f"fuzz/{hashlib.sha256(body).hexdigest()[:8]}",
        "description": "; ".join(complaints),
        **_body_of(body),
        "valid": not problems,
        "errors": [{"pointer": pointer, "rule": rule} for pointer, rule in problems],
    }
    if expected.data is not None:
        case["decoded"] = expected.data
    return json.dumps(case, indent=2)


def _body_of(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}
