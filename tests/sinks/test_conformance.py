"""What is true of every sink, on its real destination."""

import asyncio
import operator
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.processes import PYTHON, post, process, read_until, run_python, stop, wait_for
from tests.sinks.places import Place, as_stored, store
from tests.support import CAPTURES, capture, click, make_body, make_payload
from unisights import UnisightsPayload, decode_unisights_payload
from unisights._runtime.callers import ON_LOOP
from unisights._runtime.event_loop import shared_loop
from unisights.sinks._records import encode
from unisights.testing import payloads


def _numbered(count: int, **changes: Any) -> list[UnisightsPayload]:
    """Payloads that differ, of one session each."""
    made = []
    for number in range(count):
        body = make_body(
            session_id=f"550e8400-e29b-41d4-a716-{number:012x}",
            events=[click(timestamp=number)] * (number % 3),
            **changes,
        )
        payload = decode_unisights_payload(body)
        payload.received_at = 1_760_000_000_000 + number
        made.append(payload)
    return made


def _sorted(stored: list[Any]) -> list[Any]:
    return sorted(stored, key=lambda one: one.received_at)


def test_what_is_confirmed_is_stored(place: Place) -> None:
    """N payloads stored at once are N confirmations, and N records, each with its own events."""
    given_ones = _numbered(300)
    assert store(place.make(), given_ones) == [None] * 300
    assert _sorted(place.read()) == [as_stored(payload, place) for payload in given_ones]


def test_order_is_kept(place: Place) -> None:
    """One session's payloads are stored in the order in which they came."""
    session = "550e8400-e29b-41d4-a716-446655440000"
    given_ones = [
        decode_unisights_payload(make_body(session_id=session, events=[click(timestamp=number)]))
        for number in range(50)
    ]

    async def main() -> None:
        sink = place.make()
        for payload in given_ones:
            await ON_LOOP.call(sink, payload, None)
        await ON_LOOP.call(sink.close)

    asyncio.run(main())
    assert place.read() == [as_stored(payload, place) for payload in given_ones]


def test_every_recorded_body_is_stored(place: Place) -> None:
    """What the real client sends is stored with all its events, sent plain or encrypted."""
    given_ones = [decode_unisights_payload(capture(name)) for name in CAPTURES]
    assert store(place.make(), given_ones) == [None] * len(given_ones)
    found = {stored.content_id: stored for stored in place.read()}
    for payload in given_ones:
        expected = as_stored(payload, place)
        assert found[expected.content_id] == expected


def test_any_valid_payload_is_stored(place: Place) -> None:
    """Any valid payload is stored: U+0000, huge numbers, unknown properties, no events."""
    received: list[UnisightsPayload] = []

    async def main() -> None:
        sink = place.make()
        for payload in received:
            await ON_LOOP.call(sink, payload, None)
        await ON_LOOP.call(sink.close)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(payloads())
    def collect(payload: UnisightsPayload) -> None:
        # Through bytes, as requests bring them.
        body = encode(payload.to_dict())
        received.append(decode_unisights_payload(body))

    collect()
    asyncio.run(main())
    expected = place.distinct([as_stored(payload, place) for payload in received])
    found = place.read()
    by_id = operator.attrgetter("content_id")
    assert sorted(found, key=by_id) == sorted(expected, key=by_id)


def test_surrogates_and_nul_are_stored(place: Place) -> None:
    """A lone surrogate becomes U+FFFD; U+0000 too, where the destination cannot hold it."""
    body = make_body(events=[{"type": "page_view", "data": {"location": "@", "timestamp": 1}}])
    body = body.replace(b'"@"', rb'"\ud800 \u0000 \\u0000 \ud83c\udf89"')
    store(place.make(), [decode_unisights_payload(body)])
    (found,) = place.read()
    nul = "\0" if place.keeps_nul else "\ufffd"
    assert found.events[0]["data"]["location"] == f"\ufffd {nul} \\u0000 🎉"


def test_a_payload_twice_has_one_identity(place: Place) -> None:
    """A repeated payload has the same content id; where that is a key, it is stored once."""
    first, redelivered, received_again = (
        decode_unisights_payload(make_body(events=[click()])) for _ in range(3)
    )
    received_again.received_at = 1
    given_ones = [first, redelivered, received_again]
    assert store(place.make(), given_ones) == [None] * 3
    assert store(place.make(), given_ones) == [None] * 3
    expected = [as_stored(payload, place) for payload in given_ones]
    assert _sorted(place.read()) == _sorted(place.distinct(expected * 2))
    assert len({stored.content_id for stored in expected}) == 1


def test_a_payload_that_was_not_bytes(place: Place) -> None:
    """A payload that was built, not received, is stored with a content id of its own."""
    payload = UnisightsPayload.from_dict(make_payload(events=[click()]))
    assert payload.raw == b""
    store(place.make(), [payload])
    assert place.read() == [as_stored(payload, place)]


def test_a_closed_sink_opens_again(place: Place) -> None:
    """A payload that comes after the end of a server's life is not lost; closing twice is fine."""
    sink = place.make()
    first, second = _numbered(2)
    store(sink, [first])
    asyncio.run(ON_LOOP.call(sink.close))
    store(sink, [second])
    assert _sorted(place.read()) == [as_stored(first, place), as_stored(second, place)]


def test_closing_waits_for_what_is_under_way(place: Place) -> None:
    """Callers that wait for a confirmation when the sink is closed get it."""
    sink = place.make()

    async def main() -> None:
        calls = [
            asyncio.ensure_future(ON_LOOP.call(sink, payload, None)) for payload in _numbered(20)
        ]
        await asyncio.sleep(0)
        await ON_LOOP.call(sink.close)
        await asyncio.gather(*calls)
        await ON_LOOP.call(sink.close)

    asyncio.run(main())
    assert len(place.read()) == 20


def test_two_loops_share_a_sink(place: Place) -> None:
    """A sink may be called from several event loops at once, and closed from one of them."""
    sink = place.make()
    here, there = _numbered(40)[::2], _numbered(40)[1::2]

    async def run(batch: list[UnisightsPayload]) -> None:
        await asyncio.gather(*(ON_LOOP.call(sink, payload, None) for payload in batch))

    async def main() -> None:
        await asyncio.gather(run(here), asyncio.to_thread(shared_loop().run, run(there)))
        await ON_LOOP.call(sink.close)

    asyncio.run(main())
    assert len(place.read()) == 40


def test_a_caller_that_is_cancelled_hurts_nobody(place: Place) -> None:
    """A caller that is cancelled does not affect the payloads of others."""
    sink = place.make()

    async def main() -> None:
        calls = [
            asyncio.ensure_future(ON_LOOP.call(sink, payload, None)) for payload in _numbered(20)
        ]
        await asyncio.sleep(0)
        calls[7].cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(one) for one in ended if one is not None] == [asyncio.CancelledError]
        await ON_LOOP.call(sink.close)

    asyncio.run(main())
    assert len(place.read()) >= 19


FORKING = """\
import asyncio, os, sys
from tests.support import make_body
from unisights import decode_unisights_payload
from unisights._runtime.callers import ON_LOOP
from unisights._runtime.event_loop import shared_loop
from unisights.sinks._url_schemes import sink_from_url

sink = sink_from_url(sys.argv[1])

def store(label):
    payload = decode_unisights_payload(make_body(asset_id=label))
    shared_loop().run(ON_LOOP.call(sink, payload, None))

store("before")
children = []
for name in ("a", "b"):
    if not (child := os.fork()):
        store(name)
        if name == "a":
            shared_loop().run(ON_LOOP.call(sink.close))
        sys.exit(0)
    children.append(child)
idle = os.fork()
if not idle:
    sys.exit(0)
store("meanwhile")
for child in (*children, idle):
    assert os.waitpid(child, 0)[1] == 0
store("after")
shared_loop().run(ON_LOOP.call(sink.close))
"""


def test_a_fork_leaves_the_parents_connection_alone(place: Place) -> None:
    """Forked children of a process that has stored can store, too, and end normally."""
    finished = run_python(FORKING, place.url)
    assert finished.returncode == 0, finished.stderr
    assert len(place.read()) == 5


def _post_all(port: int, bodies: list[bytes]) -> Counter[int]:
    with ThreadPoolExecutor(8) as pool:
        return Counter(status for status, _ in pool.map(lambda body: post(port, body), bodies))


@pytest.mark.parametrize(
    ("server", "app", "accepted"),
    [
        ("uvicorn --port 0", "fastapi_app", 200),
        # A worker that is told to end while it starts may miss it, and is killed after this time.
        (
            "gunicorn --bind 127.0.0.1:0 -w 2 --threads 4 --graceful-timeout 10 --preload",
            "flask_app",
            202,
        ),
    ],
    ids=["fastapi-inline", "flask-background-preload"],
)
def test_servers_store_what_they_acknowledge(
    place: Place, server: str, app: str, accepted: int, tmp_path: Any
) -> None:
    """On a real server, all that was acknowledged is stored when it has ended by SIGTERM."""
    command = [PYTHON, "-m", *server.split(), f"tests.sinks.apps:{app}"]
    env = {"UNISIGHTS_TEST_SINK": place.url, "XDG_RUNTIME_DIR": str(tmp_path)}
    given_ones = _numbered(100)
    with process(command, env=env) as child:
        started = read_until(child, "http://127.0.0.1:")
        port = int(started.rpartition("http://127.0.0.1:")[2].split()[0].rstrip(")"))
        wait_for(lambda: _is_up(port), "the start of a worker")
        assert _post_all(port, [payload.raw for payload in given_ones]) == {accepted: 100}
        output = stop(child)
        assert "Traceback" not in output, output
    found = place.read()
    assert len(found) == 100
    assert {one.session_id for one in found} == {one.data.session_id for one in given_ones}


def _is_up(port: int) -> bool:
    try:
        return post(port, b"")[0] == 400
    except OSError:
        return False
