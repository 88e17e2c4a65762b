"""What an endpoint has counted, on every adapter."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.drivers import Call, call_asgi
from tests.processes import wait_for
from tests.spools import close_spool
from tests.support import click, make_body, make_data, seal
from unisights import Stats, UnisightsOptions

JSON = {"content-type": "application/json"}


class _Handler:
    """Fails for payloads that say so."""

    def __call__(self, payload: Any, request: Any) -> None:
        if payload.data.asset_id == "broken":
            raise LookupError("no such place")


def _counted(stats: Stats) -> dict[str, int]:
    """What is not 0, refusals by their reasons; what is waiting aside."""
    shown = stats.to_dict()
    refused = shown.pop("refused")
    counts = {name: shown[name] for name in list(shown)[: list(shown).index("waiting")]}
    return {name: count for name, count in {**counts, **refused}.items() if count}


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    """A spool's file; it is closed at the end in any case."""
    path = tmp_path / "spool.sqlite3"
    yield path
    close_spool(path)


def test_refusals_are_counted_by_reason(connect: Callable[..., Any]) -> None:
    """Each reason by itself; preflights are no refusals, and are not received."""
    client = connect(allow_origins=["https://shop.example"], max_payload_size=1000)
    tampered = {**seal(json.dumps(make_data()).encode()), "bucket": 1}
    client.post(make_body(), origin="https://other.example")
    client.call(Call(method="GET"))
    client.call(Call(headers={"content-type": "text/plain"}, chunks=(make_body(),)))
    client.post(make_body(), content_encoding="br")
    client.post(b" " * 1001)
    client.call(Call(headers=JSON, chunks=(b" " * 600, b" " * 600)))
    client.post(b"{")
    client.post(b"{}", content_encoding="gzip")
    client.post(b"{}")
    client.post(json.dumps(tampered).encode())
    client.call(Call(method="OPTIONS", headers={"origin": "https://shop.example"}))
    assert _counted(client.unisights.stats()) == {
        "received": 10,
        "forbidden_origin": 1,
        "wrong_method": 1,
        "wrong_content_type": 1,
        "wrong_content_encoding": 1,
        "too_large": 2,
        "invalid_json": 2,
        "invalid_payload": 1,
        "undecryptable": 1,
    }


def test_a_cut_body_is_counted(connect: Callable[..., Any]) -> None:
    """A client that goes away before the body has ended is a refusal, too."""
    client = connect()
    client.call(Call(headers=JSON, chunks=(make_body(),), disconnects=True))
    # Under ASGI, Django itself reads the body, and calls no view if it is cut.
    is_unseen = client.adapter.name in {"django-async", "django-on-asgi"}
    expected = {} if is_unseen else {"received": 1, "cut_body": 1}
    assert _counted(client.unisights.stats()) == expected


def test_inline_is_counted(connect: Callable[..., Any]) -> None:
    """What was accepted has been delivered, has failed, or was a duplicate."""
    client = connect(handler=_Handler(), duplicate_window=60)
    for label in ("a", "a", "b", "broken", "broken"):
        client.post(make_body(asset_id=label))
    stats = client.unisights.stats()
    assert _counted(stats) == {
        "received": 5,
        "accepted": 5,
        "duplicate": 1,
        "delivered": 2,
        "failed": 2,
    }
    assert (stats.waiting, stats.dead_letters) == (0, None)


def test_no_handler_is_delivered(connect: Callable[..., Any]) -> None:
    """Without a handler, what is accepted is done with."""
    client = connect()
    client.post(make_body())
    assert _counted(client.unisights.stats()) == {"received": 1, "accepted": 1, "delivered": 1}


def test_the_background_is_counted(connect: Callable[..., Any]) -> None:
    """Queued and duplicates make up the accepted; the queue's room is told."""
    client = connect(delivery="background", handler=_Handler(), duplicate_window=60)
    for label in ("a", "a", "b", "broken"):
        client.post(make_body(asset_id=label))
    wait_for(lambda: client.unisights.stats().waiting == 0, "the handling of all")
    assert _counted(client.unisights.stats()) == {
        "received": 4,
        "accepted": 4,
        "duplicate": 1,
        "queued": 3,
        "delivered": 2,
        "failed": 1,
    }


def test_durable_is_counted(connect: Callable[..., Any], spool: Path) -> None:
    """Likewise; failures are retried until they are dead letters, and the spool's are told."""
    client = connect(
        delivery="durable",
        spool=spool,
        handler=_Handler(),
        duplicate_window=60,
        attempts=3,
        pause=0.01,
    )
    assert client.unisights.stats().waiting is None
    for label in ("a", "a", "b", "broken"):
        client.post(make_body(asset_id=label, events=[click()]))
    wait_for(lambda: client.unisights.stats().dead_letters == 1, "the dead letter")
    wait_for(lambda: client.unisights.stats().waiting == 0, "the delivery of the others")
    stats = client.unisights.stats()
    assert _counted(stats) == {
        "received": 4,
        "accepted": 4,
        "duplicate": 1,
        "queued": 3,
        "delivered": 2,
        "failed": 3,
        "retried": 2,
        "dead": 1,
    }
    assert (stats.waiting_bytes, (stats.dead_letter_bytes or 0) > 0) == (0, True)


def test_no_room_is_counted(connect: Callable[..., Any], spool: Path) -> None:
    """A spool that is full, and one that cannot be opened."""
    held: dict[str, Any] = {"delivery": "durable", "spool": spool, "handler": _Handler()}
    client = connect(**held, spool_bytes=1, pause=600)
    client.post(make_body(asset_id="broken"))
    client.post(make_body())
    assert _counted(client.unisights.stats())["spool_full"] == 1
    close_spool(spool)
    for file in spool.parent.iterdir():
        file.unlink()
    broken = connect(**held)
    spool.mkdir()
    broken.post(make_body())
    assert _counted(broken.unisights.stats()) == {"received": 1, "spool_failed": 1}


def test_it_is_ready_for_json(connect: Callable[..., Any]) -> None:
    """All counters are there from the beginning, as numbers."""
    shown = json.loads(json.dumps(connect().unisights.stats().to_dict()))
    assert shown.pop("refused").keys() >= {"invalid_json", "too_large", "queue_full"}
    assert set(shown.values()) == {0, None}


def test_each_endpoint_counts_for_itself() -> None:
    """Two endpoints of a process do not share counters."""
    from unisights.asgi import unisights_asgi

    one, other = (unisights_asgi(UnisightsOptions()) for _ in range(2))
    call_asgi(one, Call(chunks=(make_body(),)))
    assert (one.unisights.stats().accepted, other.unisights.stats().accepted) == (1, 0)
