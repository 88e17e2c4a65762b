"""What payloads weigh, what decoding takes meanwhile, and what a flood does to a server."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from benchmarks import corpus
from benchmarks.decoders import LIMIT, OURS, PYDANTIC, STRUCTS, decoders
from benchmarks.decoding import hostile_decodings, unlogged
from benchmarks.serving import ADAPTERS, App, serving
from benchmarks.timing import Case
from tests.processes import peak_memory, post
from tests.servers.wire import send_endlessly

BODY = "the body"
MAX_PAYLOAD_SIZE = 1024 * 1024
FLOOD = 300 * 1024 * 1024
_WEIGHED = {LIMIT, OURS, STRUCTS, PYDANTIC}
"""The others return what the first one does."""

FLOODED = "300 MiB in chunks"
OPTION = "max_payload_size"


def measure_payloads(sizes: Iterable[int] = corpus.SIZES) -> list[Case]:
    """What each decoder's result holds, by the number of events."""
    cases = []
    for events in sizes:
        body = corpus.mixed_body(events)
        held = {
            each.name: held_by(partial(each.decode, body))
            for each in decoders()
            if each.name in _WEIGHED
        }
        samples = {BODY: [len(body)], **{name: [size] for name, size in held.items()}}
        cases.append(
            Case(f"held, {corpus.in_words(events)}", "B", LIMIT, samples, {"bytes": len(body)})
        )
    return cases


def measure_peaks(size: int) -> list[Case]:
    """The most that decoding holds at any moment, beside the body, whatever that is."""
    with unlogged():
        peaks = {name: [peak_of(decode)] for name, decode in hostile_decodings(size).items()}
    name = f"most held while decoding, {size // 1024:,} KiB"
    return [Case(name, "B", BODY, {BODY: [size], **peaks})]


def measure_floods(apps: Iterable[App] = ADAPTERS) -> list[Case]:
    """What a body that never ends adds to the server that refuses it."""
    added = {app.name: [added_by_flood(app)] for app in apps}
    return [Case(FLOODED, "B", OPTION, {OPTION: [MAX_PAYLOAD_SIZE], **added})]


def held_by(make: Callable[[], Any]) -> int:
    """The memory of what a function returns, in bytes."""
    make()  # what is kept for the next call is not the result's
    gc.collect()
    tracemalloc.start()
    try:
        made = make()
        held, _ = tracemalloc.get_traced_memory()
        del made
    finally:
        tracemalloc.stop()
    return held


def peak_of(run: Callable[[], object]) -> int:
    """The most memory that a call holds, in bytes."""
    run()
    gc.collect()
    tracemalloc.start()
    try:
        run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak


def added_by_flood(app: App) -> int:
    """By how much a server's largest process has grown once it has refused a flood."""
    body = corpus.mixed_body(100)
    with serving(app, body) as server:
        # What is set up once is not counted: a payload of the greatest size is.
        post(server.port, corpus.body_of_size(MAX_PAYLOAD_SIZE // 8), app.path)
        before = {pid: peak_memory(pid) for pid in server.processes()}
        answer = send_endlessly(server.port, FLOOD)
        time.sleep(0.1)
        after = {pid: peak_memory(pid) for pid in server.processes()}
        if answer.status != 413 or before.keys() != after.keys():
            raise RuntimeError(f"{app.name} did not refuse the flood: {answer}")
    return max(after[pid] - before[pid] for pid in after)
