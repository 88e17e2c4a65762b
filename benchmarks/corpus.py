"""The bodies that are measured: what pages send, encrypted, and what attackers would."""

import base64
import functools
import itertools
import json
import random
from collections.abc import Callable
from typing import Any

from tests.support import CAPTURES, SITE_ID, capture, seal

SIZES = (1, 10, 100, 1_000, 10_000)
"""Events in a body; the browser client sends 1 to 133, a server may send more."""

ENCRYPTED = "valid: encrypted"
"""The accepted body that encrypted ones are held against."""

_PAGE = "https://shop.example/products/running-shoes?color=blue&size=42"

_USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)

_FLOATS = {"scroll_depth", "time_on_page", "timestamp", "x", "y", "value", "delta"}
"""What the client holds as floats; its other numbers are whole in every form."""

_START = 1795366034371

_MIX = (
    *("page_view", "web_vital", "click", "click", "web_vital"),
    *("click", "custom", "click", "web_vital", "click"),
    *("click", "custom", "click", "web_vital", "error"),
    *("click", "click", "custom", "web_vital", "click"),
)
"""The recordings' shares, rounded: half clicks, a quarter vitals, the rest others."""


def in_words(events: int) -> str:
    """So many events, in words."""
    return f"{events:,} event{'s' if events != 1 else ''}"


@functools.cache
def mixed_body(events: int) -> bytes:
    """A session with so many events of all types, as the browser client writes it."""
    return _dump({"data": _session(mixed_events(events)), "encrypted": False})


def mixed_events(count: int) -> list[dict[str, Any]]:
    """Events of all types; always the same ones."""
    dice = random.Random(count)  # noqa: S311  # nobody is to guess anything here
    return [
        {"type": kind, "data": _EVENT_DATA[kind](dice, index)}
        for index, kind in zip(range(count), itertools.cycle(_MIX), strict=False)
    ]


def body_of_size(size: int) -> bytes:
    """A valid body of mixed events that is about so long, and not longer."""
    count = size // 150
    while len(body := mixed_body(count)) > size:
        count -= 1 + (len(body) - size) // 300
    return body


def long_url_body() -> bytes:
    """One page view, 2 kB in all: what a page that was opened from an advertisement sends."""
    campaign = {
        f"utm_{key}": f"{key}-of-the-autumn-sale-{index}"
        for index, key in enumerate(("source", "medium", "campaign", "term", "content"))
    }
    query = "&".join(f"{key}={value}" for key, value in campaign.items())
    url = f"https://shop.example/landing/autumn?{query}&gclid={'Cj0KCQjw' * 9}"
    event = {
        "type": "page_view",
        "data": {"location": url, "title": "Autumn sale", "timestamp": _START},
    }
    changes = {"page_url": url, "entry_page": url, "exit_page": url, "utm_params": campaign}
    return _dump({"data": {**_session([event]), **changes}, "encrypted": False})


def captures() -> dict[str, bytes]:
    """The bodies recorded from the real browser client, by name."""
    return {name: capture(name) for name in CAPTURES}


def encrypted_body(plain: bytes) -> bytes:
    """The same session as the client sends it encrypted: whole numbers are written as 1.0."""
    data = json.loads(plain)["data"]
    for values in (data, *(event["data"] for event in data["events"])):
        values.update({name: float(values[name]) for name in _FLOATS & values.keys()})
    return _dump(seal(_dump(data), site_id=SITE_ID))


# What attackers would send. Each takes a size and makes a body that is about so long.


def attacks() -> dict[str, Callable[[int], bytes]]:
    """Bodies that are refused, or taken only by the slow path, by what is wrong with them."""
    return {
        "first event wrong": _with_wrong_event(first=True),
        "last event wrong": _with_wrong_event(first=False),
        "every click without y": _events_like({"type": "click", "data": {"x": 1, "timestamp": 2}}),
        "every event of an unknown type": _events_like({"type": "?", "data": {}}),
        "every value of a wrong type": _events_like(_WRONG_TYPES),
        "every event an empty object": _events_like({}),
        "every event a number": _events_like(1),
        "the list of events is an object": _filled(
            '{"data":{"asset_id":"a","events":{', '"k%d":1', "}}}"
        ),
        "many unknown properties, one wrong": _filled('{"data":{"asset_id":1,', '"k%d":1', "}}"),
        "one property again and again": _filled('{"data":{"asset_id":1,', '"k":1', "}}"),
        "many UTM parameters of a wrong type": _filled('{"data":{"utm_params":{', '"k%d":1', "}}}"),
        "nested arrays": _nested('{"data":', "[", "]", "}"),
        "nested objects": _nested('{"data":', '{"a":', "}", "}", core="1"),
        "nested events": _nested('{"data":{"events":', "[", "]", "}}"),
        "many arrays, each as deep as allowed": _filled(
            '{"data":{"asset_id":1,"k":[', "[" * 490 + "]" * 490, "]}}"
        ),
        "one number of many digits": _padded('{"data":{"scroll_depth":', "9", "}}"),
        "one fraction of many digits": _padded('{"data":{"scroll_depth":0.', "9", "}}"),
        "many numbers of many digits": _filled('{"data":{"scroll_depth":[', "9" * 300, "]}}"),
        "many numbers that no double holds": _filled('{"data":{"scroll_depth":[', "1e999", "]}}"),
        "many numbers, and one that no double holds": _filled(
            '{"z":1e999,"data":1,"u":[', "1", "]}"
        ),
        "many numbers, and one of 210 digits": _filled(
            '{"z":' + "9" * 210 + ',"data":1,"u":[', "1", "]}"
        ),
        "many numbers, and one of 5,000 digits": _filled(
            '{"z":' + "9" * 5000 + ',"data":1,"u":[', "1", "]}"
        ),
        "many numbers, cut off behind what looks like a large one": _filled(
            '{"z":"0e000","u":[', "1", ""
        ),
        "a page_url with a blank behind it": _padded(_wrapped('"page_url":"'), "a", ' "}}'),
        "a session_id that is too long": _padded(_wrapped('"session_id":"'), "0-", '"}}'),
        "a string of escapes, wrong": _padded('{"data":"', "\\u0041", '"}'),
        "lone surrogates, wrong": _padded('{"data":"', "\\ud83d", '"}'),
        "cut off": lambda size: body_of_size(size)[:-2],
        "NaN at the end": lambda size: body_of_size(size)[:-1] + b',"x":NaN}',
        "not UTF-8 at the end": lambda size: body_of_size(size)[:-1] + b',"x":"\xff"}',
        "blanks alone": lambda size: b" " * size,
        "encrypted, the tag wrong": _encrypted_wrongly,
        "encrypted, the base64 wrong": _padded(
            '{"encrypted":true,"bucket":1,"site_id":"a","tag":"","data":"', "A", '*"}'
        ),
        "encrypted, every event wrong": lambda size: encrypted_body(
            _events_like({"type": "click", "data": {"x": 1, "timestamp": 2}})(size * 5 // 8)
        ),
    }


def hard_to_accept() -> dict[str, Callable[[int], bytes]]:
    """Bodies that are valid, and cost the decoder more than others of their size."""
    vital = mixed_events(2)[1]
    return {
        "valid: whole numbers written as 1.0": _events_like(
            {**vital, "data": {**vital["data"], "entries": 1.0}}
        ),
        "valid: many unknown properties": _filled(
            _dump({"data": _session([])}).decode()[:-1] + ',"k":{', '"k%d":1', "}}"
        ),
        "valid: many UTM parameters": _filled(
            _dump({"data": _session([])}).decode()[:-2] + ',"utm_params":{', '"k%d":""', "}}}"
        ),
        "valid: lone surrogates": _events_like(
            {"type": "custom", "data": {"name": "\ud83d", "data": "\ud83d", "timestamp": 1}}
        ),
        "valid: strings beyond ASCII": _events_like(
            {"type": "custom", "data": {"name": "é", "data": "😀" * 20, "timestamp": 1}},
            ascii_only=False,
        ),
        "valid: every timestamp beyond what is kept": _events_like(
            {"type": "click", "data": {"x": 1, "y": 2, "timestamp": 1e20}}
        ),
        "valid: a byte order mark": lambda size: b"\xef\xbb\xbf" + body_of_size(size - 3),
        ENCRYPTED: lambda size: encrypted_body(body_of_size(size * 7 // 10)),
    }


_WRONG_TYPES = {
    "type": "web_vital",
    "data": {
        "name": 1,
        "value": "1",
        "rating": "?",
        "delta": True,
        "id": None,
        "entries": 1.5,
        "navigation_type": [],
        "timestamp": "2",
    },
}


def _session(events: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "asset_id": SITE_ID,
        "session_id": "0d936465-387d-4445-9c4e-7975eb602d07",
        "page_url": _PAGE,
        "entry_page": "https://shop.example/",
        "exit_page": None,
        "utm_params": {"utm_source": "google", "utm_medium": "cpc"},
        "device_info": {
            "device_type": "Desktop",
            "os": "Linux",
            "platform": "Linux x86_64",
            "referrer": "direct",
            "screen_height": 720,
            "screen_width": 1280,
            "user_agent": _USER_AGENT,
        },
        "events": events,
        "scroll_depth": 62.5,
        "time_on_page": 31.204,
    }


def _page_view(_dice: random.Random, index: int) -> dict[str, Any]:
    return {"location": _PAGE, "title": "Running shoes", "timestamp": _START + 97 * index}


def _click(dice: random.Random, index: int) -> dict[str, Any]:
    x = dice.randrange(1280) + dice.choice((0, 0, 0.5))
    return {"x": x, "y": dice.randrange(720), "timestamp": _START + 97 * index}


def _web_vital(dice: random.Random, index: int) -> dict[str, Any]:
    value = round(dice.uniform(10, 4000), 1)
    return {
        "name": dice.choice(("TTFB", "FCP", "LCP", "INP", "CLS")),
        "value": value,
        "rating": dice.choice(("good", "good", "needs-improvement", "poor")),
        "delta": value,
        "id": f"v5-{_START}-{dice.randrange(10**12, 10**13)}",
        "entries": dice.randrange(3),
        "navigation_type": "navigate",
        "timestamp": _START + 97 * index,
    }


def _custom(dice: random.Random, index: int) -> dict[str, Any]:
    name = dice.choice(("dead_click", "engaged_time", "add_to_cart"))
    content = json.dumps({"ms": dice.randrange(10_000), "url": _PAGE}, separators=(",", ":"))
    return {"name": name, "data": content, "timestamp": _START + 97 * index}


def _error(dice: random.Random, index: int) -> dict[str, Any]:
    return {
        "message": "TypeError: cart is null",
        "source": "https://shop.example/static/app.js",
        "lineno": dice.randrange(1000),
        "colno": dice.randrange(100),
        "stack": "TypeError: cart is null\n" + 3 * "    at https://shop.example/static/app.js\n",
        "timestamp": _START + 97 * index,
    }


_EVENT_DATA: dict[str, Callable[[random.Random, int], dict[str, Any]]] = {
    "page_view": _page_view,
    "click": _click,
    "web_vital": _web_vital,
    "custom": _custom,
    "error": _error,
}


def _dump(value: Any, *, ascii_only: bool = True) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode()


def _events_like(event: Any, *, ascii_only: bool = True) -> Callable[[int], bytes]:
    head, tail = _dump({"data": _session([])}).split(b'"events":[]')
    one = _dump(event, ascii_only=ascii_only)

    def make(size: int) -> bytes:
        count = (size - len(head) - len(tail) - 11) // (len(one) + 1)
        return head + b'"events":[' + b",".join([one] * count) + b"]" + tail

    return make


def _with_wrong_event(*, first: bool) -> Callable[[int], bytes]:
    def make(size: int) -> bytes:
        data = json.loads(body_of_size(size))["data"]
        wrong = {"type": "click", "data": {"x": 1, "timestamp": 2}}
        data["events"][0 if first else -1] = wrong
        return _dump({"data": data})

    return make


def _wrapped(head: str) -> str:
    return '{"data":{"asset_id":"a","events":[],' + head


def _padded(head: str, unit: str, tail: str) -> Callable[[int], bytes]:
    """One value that is made long."""

    def make(size: int) -> bytes:
        return (head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail).encode()

    return make


def _nested(
    head: str, opening: str, closing: str, tail: str, core: str = ""
) -> Callable[[int], bytes]:
    def make(size: int) -> bytes:
        depth = (size - len(head) - len(tail)) // (len(opening) + len(closing))
        return (head + opening * depth + core + closing * depth + tail).encode()

    return make


def _filled(head: str, item: str, tail: str) -> Callable[[int], bytes]:
    """Many items, each with its number in it if it has a place for one."""

    def make(size: int) -> bytes:
        room, items = size - len(head) - len(tail), []
        while room > 0:
            items.append(item % len(items) if "%d" in item else item)
            room -= len(items[-1]) + 1
        return (head + ",".join(items[:-1]) + tail).encode()

    return make


def _encrypted_wrongly(size: int) -> bytes:
    body = json.loads(encrypted_body(body_of_size(size * 7 // 10)))
    body["tag"] = base64.b64encode(bytes(32)).decode()
    return _dump(body)
