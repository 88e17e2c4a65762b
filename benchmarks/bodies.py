"""The valid bodies that are measured: recorded ones, and sessions of any number of events."""

import base64
import functools
import itertools
import json
from typing import Any

from benchmarks import ROOT
from unisights.encryption import encrypt

RECORDED = "recorded mix"
"""Every plain body that was recorded from the browser client, one after the other."""

TYPICAL = "100 events"

SIZES = (1, 10, 100, 1_000, 10_000)
"""Events in a body; the browser client sends 1 to 133, a server may send more."""

_FLOATS = {"scroll_depth", "time_on_page", "timestamp", "x", "y", "value", "delta"}
"""What the client holds as floats, and encrypts as such; its other numbers are whole."""

_CAPTURES = ROOT / "schema" / "vectors" / "captures"
_OWN = ROOT / "benchmarks" / "data"


@functools.cache
def recorded() -> tuple[bytes, ...]:
    """The plain bodies recorded from the browser client, byte for byte."""
    bodies = (path.read_bytes() for path in sorted(_CAPTURES.glob("*.json")))
    return tuple(body for body in bodies if not json.loads(body)["encrypted"])


def long_url() -> bytes:
    """One page view, 2 kB in all: what a page that was opened from an advertisement sends."""
    return (_OWN / "1_event_2kb.json").read_bytes()


def under_load() -> dict[str, tuple[bytes, ...]]:
    """The bodies that servers receive, by the name of each mix."""
    return {RECORDED: recorded(), TYPICAL: (with_events(100),)}


def in_words(events: int) -> str:
    """A number of events, in words."""
    return f"{events:,} event{'s' if events != 1 else ''}"


@functools.cache
def with_events(count: int) -> bytes:
    """A session with so many events of all types, in the shares that were recorded."""
    data = session()
    return dump({"data": {**data, "events": events(count)}, "encrypted": False})


def session() -> dict[str, Any]:
    """The data of a session without events."""
    data: dict[str, Any] = {**_hundred_events(), "events": []}
    return data


def events(count: int) -> list[dict[str, Any]]:
    """Events of all types; always the same ones."""
    return list(itertools.islice(itertools.cycle(_hundred_events()["events"]), count))


def of_size(size: int) -> bytes:
    """A valid body that is about so long, and not longer."""
    count = size // 120
    while len(body := with_events(count)) > size:
        count -= 1 + (len(body) - size) // 300
    return body


def encrypted(plain: bytes) -> bytes:
    """The same session as the client sends it encrypted: many whole numbers are written as 1.0."""
    data = json.loads(plain)["data"]
    for values in (data, *(event["data"] for event in data["events"])):
        values.update({name: float(values[name]) for name in _FLOATS & values.keys()})
    site_id, bucket = data["asset_id"], 59845534
    ciphertext, tag = encrypt(dump(data), site_id=site_id, bucket=bucket)
    encoded = {"data": base64.b64encode(ciphertext).decode(), "tag": base64.b64encode(tag).decode()}
    return dump({"encrypted": True, **encoded, "site_id": site_id, "ua_hash": "", "bucket": bucket})


def dump(value: Any, *, ascii_only: bool = True) -> bytes:
    """JSON as the client writes it, without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode()


@functools.cache
def _hundred_events() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((_OWN / "100_events.json").read_bytes())["data"]
    return data
