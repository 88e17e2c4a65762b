"""Bytes to payload and back: accepted, refused, encrypted, encoded."""

import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import msgspec
import orjson

from benchmarks import corpus
from benchmarks.decoders import LIMIT, OURS, Decoder, decoders
from benchmarks.peers import msgspec_structs, pydantic_models
from benchmarks.timing import Case, Effort, time_functions
from unisights import RequestInfo, UnisightsOptions, decode_unisights_payload
from unisights._http.responses import HTTPResponse
from unisights.collector import Collector
from unisights.encryption import decrypt, encrypt

KIB = 1024
HOSTILE_SIZES = (64 * KIB, 1024 * KIB)
ACCEPTED = "accepted, mixed events"
"""What the refused bodies of the same length are compared with."""


def measure_decoding(effort: Effort, sizes: Iterable[int] = corpus.SIZES) -> list[Case]:
    """Every decoder, with bodies of more and more events."""
    bodies = {corpus.in_words(events): corpus.mixed_body(events) for events in sizes}
    return [_decode(name, body, decoders(), effort) for name, body in bodies.items()]


def measure_captures(effort: Effort) -> list[Case]:
    """The recorded bodies: each one by the fastest decoders, all in a row by everyone.

    What is encrypted, the others only parse: it is left out of what everyone does.
    """
    captures = corpus.captures()
    plain = [body for body in captures.values() if not json.loads(body)["encrypted"]]
    everyone = decoders()
    in_a_row = {each.name: partial(_decode_all, each.decode, plain) for each in everyone}
    facts = {"bytes": sum(map(len, plain))}
    name = f"{len(plain)} plain recordings"
    return [
        Case(name, "s", LIMIT, time_functions(in_a_row, effort), facts),
        *(
            _decode(
                f"recording {name}",
                body,
                [each for each in everyone if each.name in {LIMIT, OURS}],
                effort,
            )
            for name, body in captures.items()
        ),
    ]


def measure_encoding(effort: Effort, events: int = 100) -> list[Case]:
    """The payload as JSON again: as the README's handlers do it, and faster."""
    body = corpus.mixed_body(events)
    payload = decode_unisights_payload(body)
    struct = msgspec_structs.decode(body)
    model = pydantic_models.decode(body)
    functions = {
        "orjson.dumps of parsed JSON": partial(orjson.dumps, orjson.loads(body)),
        "to_dict() + json.dumps": lambda: json.dumps(payload.data.to_dict()),
        "to_dict() + orjson.dumps": lambda: orjson.dumps(payload.data.to_dict()),
        "to_dict() alone": payload.data.to_dict,
        "msgspec.json.encode of the dataclass": partial(msgspec.json.encode, payload.data),
        "orjson.dumps of the dataclass": partial(orjson.dumps, payload.data),
        "msgspec.json.encode of Structs": partial(msgspec.json.encode, struct.data),
        "pydantic's model_dump_json": model.data.model_dump_json,
    }
    samples = time_functions(functions, effort)
    return [Case(corpus.in_words(events), "s", "orjson.dumps of parsed JSON", samples)]


def measure_decryption(effort: Effort) -> list[Case]:
    """The cipher alone, and an encrypted body beside the same one sent plain."""
    cases = []
    for size in HOSTILE_SIZES:
        plaintext = bytes(size)
        ciphertext, tag = encrypt(plaintext, site_id="site-1", bucket=59845534)
        decrypt_it = partial(decrypt, ciphertext, tag, site_id="site-1", bucket=59845534)
        samples = time_functions({"decrypt": decrypt_it}, effort)
        cases.append(Case(f"{size // KIB:,} KiB", "s", "decrypt", samples, {"bytes": size}))
    plain = corpus.mixed_body(100)
    bodies = {"sent plain": plain, "sent encrypted": corpus.encrypted_body(plain)}
    functions = {name: partial(decode_unisights_payload, body) for name, body in bodies.items()}
    samples = time_functions(functions, effort)
    return [*cases, Case("100 events", "s", "sent plain", samples)]


def measure_refusals(effort: Effort, sizes: Iterable[int] = HOSTILE_SIZES) -> list[Case]:
    """Bodies that cost the most, beside an ordinary one of the same length."""
    with unlogged():
        return [
            Case(
                f"{size // KIB:,} KiB",
                "s",
                ACCEPTED,
                time_functions(hostile_decodings(size), effort),
                {"bytes": size},
            )
            for size in sizes
        ]


def hostile_decodings(size: int) -> dict[str, Callable[[], object]]:
    """For each hostile body of a size: a function that decodes or refuses it."""
    decodings: dict[str, Callable[[], object]] = {
        ACCEPTED: partial(accept, corpus.body_of_size(size))
    }
    for name, make in corpus.hard_to_accept().items():
        decodings[name] = partial(accept, make(size))
    for name, make in corpus.attacks().items():
        decodings[name] = partial(refuse, make(size))
    return decodings


def accept(body: bytes) -> None:
    """Decode a body that must be accepted, as the body of a request."""
    outcome = _receive(body)
    if isinstance(outcome, HTTPResponse):
        raise AssertionError(outcome.body)  # noqa: TRY004  # it is no type that is wrong


def refuse(body: bytes) -> None:
    """Decode a body that must be refused, as the body of a request, and make its answer."""
    if not isinstance(_receive(body), HTTPResponse):
        raise AssertionError("it was accepted")  # noqa: TRY004  # likewise


_COLLECTOR = Collector(UnisightsOptions())
_INFO = RequestInfo(method="POST", path="/events", headers={})


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Keep what the package says of refused bodies out of the report."""
    logger = logging.getLogger("unisights")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


def _receive(body: bytes) -> object:
    buffer = _COLLECTOR.buffer(_INFO)
    buffer.add(body)
    return _COLLECTOR.accept(_INFO, buffer)


def _decode(name: str, body: bytes, contestants: Iterable[Decoder], effort: Effort) -> Case:
    functions: Mapping[str, Callable[[], object]] = {
        each.name: partial(each.decode, body) for each in contestants
    }
    return Case(name, "s", LIMIT, time_functions(functions, effort), {"bytes": len(body)})


def _decode_all(decode: Callable[[bytes], object], bodies: list[bytes]) -> None:
    for body in bodies:
        decode(body)
