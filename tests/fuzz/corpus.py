"""What cases are made from: recorded bodies, vectors, and instances of the schema."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.mutations import damage, holder_of, mutate, odd_value, paths_of, write
from tests.support import CAPTURES, capture, seal
from tests.vectors.cases import JSON_VECTORS, VECTORS
from unisights.testing import objects

MAX_EVENTS = 4
"""The referee is slow; four events are as good as a hundred."""


@cache
def plain() -> list[Any]:
    """Recorded sessions that were sent plain, and the vectors, parsed."""
    sent = [json.loads(capture(name)) for name in CAPTURES]
    found = [_shortened(obj) for obj in sent if obj["encrypted"] is False]
    # There are many more vectors, and most are small.
    return found * 10 + [
        vector.parsed for vector in JSON_VECTORS if not _is_encrypted(vector.parsed)
    ]


@cache
def encrypted() -> list[Any]:
    """Recorded sessions that were sent encrypted, and the vectors of both forms, parsed."""
    sent = [json.loads(capture(name)) for name in CAPTURES if len(capture(name)) < 16_384]
    return [obj for obj in sent + [vector.parsed for vector in JSON_VECTORS] if _is_encrypted(obj)]


@cache
def texts() -> list[bytes]:
    """The same as bytes, and the vectors that are no JSON."""
    return [
        *(capture(name) for name in CAPTURES if len(capture(name)) < 4096),
        *(vector.body for vector in VECTORS if len(vector.body) < 4096),
    ]


def _is_encrypted(obj: Any) -> bool:
    return isinstance(obj, dict) and obj.get("encrypted") is True


def _shortened(obj: Any) -> Any:
    for name in ("page_url", "entry_page", "exit_page"):
        obj["data"][name] = obj["data"][name] and obj["data"][name][:500]
    obj["data"]["events"] = obj["data"]["events"][:MAX_EVENTS]
    return obj


def instances(number: int, block: str) -> list[Any]:
    """Plain payloads that are valid by the schema: always the same for the same block."""
    made: list[Any] = []

    @seed(block)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(objects("UnisightsPayload"))
    def collect(obj: Any) -> None:
        made.append(obj)

    collect()
    return made


# Kinds of cases.

Kind = Callable[[Random, list[Any]], bytes]


def _generated(random: Random, made: list[Any]) -> bytes:
    return write(random, random.choice(made))


def _mutated_instance(random: Random, made: list[Any]) -> bytes:
    return write(random, mutate(random, random.choice(made)))


def _mutated(random: Random, _made: list[Any]) -> bytes:
    return write(random, mutate(random, random.choice(plain())))


def _respelled(random: Random, _made: list[Any]) -> bytes:
    return write(random, random.choice(plain()))


def _damaged(random: Random, _made: list[Any]) -> bytes:
    return damage(random, random.choice(texts()))


def _sealed(random: Random, made: list[Any]) -> bytes:
    obj = random.choice(random.choice([made, plain()]))
    session = obj.get("data") if isinstance(obj, dict) else obj
    if random.random() < 0.8:
        session = mutate(random, session)
    plaintext = write(random, session)
    if random.random() < 0.1:
        plaintext = damage(random, plaintext)
    site_id = session.get("asset_id") if isinstance(session, dict) else None
    if not isinstance(site_id, str) or not site_id or random.random() < 0.05:
        site_id = "site-1"
    site_id = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in site_id)
    body = seal(plaintext, site_id=site_id, envelope=random.random() < 0.5)
    return write(random, mutate(random, body) if random.random() < 0.2 else body)


def _mutated_envelope(random: Random, _made: list[Any]) -> bytes:
    return write(random, mutate(random, random.choice(encrypted())))


def _anything(random: Random, _made: list[Any]) -> bytes:
    return write(random, odd_value(random))


def _deep(random: Random, _made: list[Any]) -> bytes:
    levels = random.choice([500, 501, 990, 1_000, 5_000, 50_000])
    left, right = random.choice([(b"[", b"]"), (b'{"data":', b"}"), (b'[{"":', b"}]")])
    nested = left * levels + b"0" + random.choice([right * levels, b"", right])
    obj = mutate(random, random.choice(plain()))
    path = random.choice([*paths_of(obj), ()])
    if not path:
        return nested
    holder_of(obj, path)[path[-1]] = "HERE"
    return json.dumps(obj).encode().replace(b'"HERE"', nested)


KINDS: dict[str, tuple[int, Kind]] = {
    "mutated capture or vector": (37, _mutated),
    "mutated instance": (16, _mutated_instance),
    "generated instance": (6, _generated),
    "other spelling": (10, _respelled),
    "damaged bytes": (16, _damaged),
    "encrypted session": (8, _sealed),
    "mutated envelope": (5, _mutated_envelope),
    "any JSON": (1, _anything),
    "deeply nested": (1, _deep),
}
"""The kinds of cases, and how many of a hundred are of each."""

BLOCK = 1_000
"""So many cases have a seed of their own."""


def cases(block: str, number: int) -> Iterator[tuple[str, bytes]]:
    """Make a block's cases, each with its kind: always the same for the same block."""
    random = Random(block)
    made = instances(max(10, number // 20), block)
    names = list(KINDS)
    weights = [weight for weight, _ in KINDS.values()]
    for kind in random.choices(names, weights, k=number):
        yield kind, KINDS[kind][1](random, made)
