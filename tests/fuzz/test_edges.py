"""The collector's edges: whatever is sent, by whatever headers, the answer is one of ours.

What `make fuzz` does for long, led by coverage, Hypothesis does here for a moment.
"""

import asyncio
import os
from functools import cache
from random import Random
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.adapters.drivers import Call, acall_asgi
from tests.fuzz.corpus import KINDS, instances
from tests.fuzz.edges import LIMIT, OPTIONS, STATUSES, answer, check, read, written
from tests.fuzz.guided import seeds, send
from tests.fuzz.mutations import damage
from tests.fuzz.settings import EXAMPLES
from tests.support import make_body
from unisights.asgi import unisights_asgi

thorough = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=list(HealthCheck),
)

APPS = [unisights_asgi(options) for options in OPTIONS]


@cache
def made() -> list[Any]:
    """Payloads that are valid by the schema."""
    return instances(20, "edges")


def body_of(random: Random, kind: str) -> bytes:
    """A body of one of the kinds that the judges are tried with."""
    return KINDS[kind][1](random, made())


HEADERS = {
    "origin": ["https://example.com", "https://other.example", "null", "", "a b", "é", "*", "\x00"],
    "content-type": [
        *(
            "application/json",
            "APPLICATION/JSON ; charset=x",
            "text/plain",
            "",
            "application/jsonx",
        ),
        *("application/json, application/json", ";", "multipart/form-data; boundary=x"),
    ],
    "content-encoding": ["gzip", "x-gzip", " GZIP", "deflate", "identity", "", "br", "gzip, gzip"],
    "content-length": ["0", "1", str(LIMIT + 1), "-1", "x", "9" * 30, "٣", "1, 1", "1_0"],
    "expect": ["100-continue"],
    "access-control-request-method": ["POST"],
}

REQUESTS = st.builds(
    written,
    st.builds(body_of, st.randoms(use_true_random=False), st.sampled_from([*KINDS]))
    | st.binary(max_size=40)
    | st.sampled_from([make_body(), b" " * (LIMIT + 1), b"[" * LIMIT]),
    option=st.integers(0, len(OPTIONS) - 1),
    method=st.sampled_from(["POST", "POST", "POST", "OPTIONS", "GET", "PUT", "", "post", "\x7f"]),
    headers=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in HEADERS.items()}
    ).map(lambda headers: {name: value for name, value in headers.items() if _latin(value)}),
)


def _latin(text: str) -> bool:
    return all(character <= "\xff" for character in text)


@thorough
@given(raw=REQUESTS, is_damaged=st.booleans(), random=st.randoms(use_true_random=False))
@example(raw=b"", is_damaged=False, random=Random(0))
def test_every_answer_of_the_core_is_sound(raw: bytes, *, is_damaged: bool, random: Random) -> None:
    """No exception, no 5xx; 200 only for what the referee accepts; refusals and CORS as told."""
    sent = read(damage(random, raw) if is_damaged else raw)
    reply = answer(sent)
    check(sent, reply.status, list(reply.headers), reply.body)


@thorough
@given(REQUESTS)
def test_every_answer_of_the_asgi_app_is_the_cores(raw: bytes) -> None:
    """Around the core, the ASGI app adds nothing but the length: no input brings it down."""
    sent = read(raw)
    call = Call(method=sent.method, headers=dict(sent.headers), chunks=tuple(sent.pieces) or (b"",))
    got = asyncio.run(acall_asgi(APPS[sent.option], call))
    headers = [(name, value) for name, value in got.headers if name != "content-length"]
    check(sent, got.status, headers, got.body)
    if "content-length" in dict(sent.headers):
        reply = answer(sent)
        assert (got.status, got.body) == (reply.status, reply.body)


def test_the_seeds_of_guided_fuzzing_are_sound() -> None:
    """What fuzzing led by coverage begins with is answered soundly, in every way there is."""
    statuses = {answer(read(seed)).status for seed in seeds()}
    assert statuses == STATUSES
    for seed in seeds():
        send(seed)
