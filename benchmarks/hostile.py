"""Bodies that cost more to decode than others: what attackers would send, and hard valid ones.

Each is a function that takes a size and makes a body that is about so long.
"""

import base64
import json
from collections.abc import Callable

from benchmarks.bodies import dump, encrypted, events, of_size, session

MakeBody = Callable[[int], bytes]

ENCRYPTED = "valid: encrypted"
"""The accepted body that encrypted ones are compared with."""

_VITAL = events(2)[1]["data"]

_WRONG_TYPES = {
    "name": 1,
    "value": "1",
    "rating": "?",
    "delta": True,
    "id": None,
    "entries": 1.5,
    "navigation_type": [],
    "timestamp": "2",
}


def attacks() -> dict[str, MakeBody]:
    """Bodies that are refused, by what is wrong with them."""
    no_y = _events("click", {"x": 1, "timestamp": 2})
    return {
        "first event wrong": lambda size: _with_wrong_event(size, 0),
        "last event wrong": lambda size: _with_wrong_event(size, -1),
        "every click without y": no_y,
        "every event of an unknown type": _events("?", {}),
        "every value of a wrong type": _events("web_vital", _WRONG_TYPES),
        "every event an empty object": _filled(_event_head(), "{},", "]}}"),
        "every event a number": _filled(_event_head(), "1,", "]}}"),
        "the list of events is an object": _filled('{"data":{"events":{', '"k#":1,', "}}}"),
        "many unknown properties, one wrong": _filled('{"data":{"asset_id":1,', '"k#":1,', "}}"),
        "one property again and again": _filled('{"data":{"asset_id":1,', '"k":1,', "}}"),
        "many UTM parameters of a wrong type": _filled('{"data":{"utm_params":{', '"k#":1,', "}}}"),
        "nested arrays": lambda size: b'{"data":' + _nested(size, "[", "]") + b"}",
        "nested objects": lambda size: b'{"data":' + _nested(size, '{"a":', "}", "1") + b"}",
        "nested events": lambda size: b'{"data":{"events":' + _nested(size, "[", "]") + b"}}",
        "many arrays, each as deep as allowed": _filled(
            '{"data":{"asset_id":1,"k":[', "[" * 490 + "]" * 490 + ",", "]}}"
        ),
        "one number of many digits": _filled('{"data":{"scroll_depth":', "9", "}}"),
        "one fraction of many digits": _filled('{"data":{"scroll_depth":0.', "9", "}}"),
        "many numbers of many digits": _filled('{"data":{"scroll_depth":[', "9" * 300 + ",", "]}}"),
        "many numbers that no double holds": _filled('{"data":{"scroll_depth":[', "1e999,", "]}}"),
        "many numbers, and one that no double holds": _filled(
            '{"z":1e999,"data":1,"u":[', "1,", "]}"
        ),
        "many numbers, and one of 210 digits": _filled(
            '{"z":' + "9" * 210 + ',"data":1,"u":[', "1,", "]}"
        ),
        "many numbers, and one of very many digits": lambda size: _filled(
            '{"z":' + "9" * min(5000, size // 2) + ',"data":1,"u":[', "1,", "]}"
        )(size),
        "many numbers, cut off behind what looks like a large one": _filled(
            '{"z":"0e000","u":[', "1,", ""
        ),
        "a page_url with a blank behind it": _filled('{"data":{"page_url":"', "a", ' "}}'),
        "a session_id that is too long": _filled('{"data":{"session_id":"', "0-", '"}}'),
        "a string of escapes, wrong": _filled('{"data":"', "\\u0041", '"}'),
        "lone surrogates, wrong": _filled('{"data":"', "\\ud83d", '"}'),
        "cut off": lambda size: of_size(size)[:-2],
        "NaN at the end": lambda size: of_size(size)[:-1] + b',"x":NaN}',
        "not UTF-8 at the end": lambda size: of_size(size)[:-1] + b',"x":"\xff"}',
        "blanks alone": lambda size: b" " * size,
        "encrypted, the tag wrong": _with_wrong_tag,
        "encrypted, the base64 wrong": _filled(
            '{"encrypted":true,"bucket":1,"site_id":"a","tag":"","data":"', "A", '*"}'
        ),
        "encrypted, every event wrong": lambda size: encrypted(no_y(size * 5 // 8)),
    }


def hard_to_accept() -> dict[str, MakeBody]:
    """Bodies that are valid, and cost the decoder more than others of their size."""
    data = dump({"data": session()}).decode()
    return {
        "valid: whole numbers written as 1.0": _events("web_vital", {**_VITAL, "entries": 1.0}),
        "valid: many unknown properties": _filled(data[:-1] + ',"k":{', '"k#":1,', "}}"),
        "valid: many UTM parameters": _filled(data[:-2] + ',"utm_params":{', '"k#":"",', "}}}"),
        "valid: lone surrogates": _events(
            "custom", {"name": "\ud83d", "data": "\ud83d", "timestamp": 1}
        ),
        "valid: strings beyond ASCII": _filled(
            _event_head(),
            '{"type":"custom","data":{"name":"é","data":"😀😀","timestamp":1}},',
            "]}}",
        ),
        "valid: every timestamp beyond what is kept": _events(
            "click", {"x": 1, "y": 2, "timestamp": 1e20}
        ),
        "valid: a byte order mark": lambda size: b"\xef\xbb\xbf" + of_size(size - 3),
        ENCRYPTED: lambda size: encrypted(of_size(size * 7 // 10)),
    }


def _filled(head: str, item: str, tail: str) -> MakeBody:
    """The same item again and again; "#" in it stands for its number."""

    def make(size: int) -> bytes:
        room, items = size - len(head) - len(tail), list[str]()
        while (room := room - len((one := item.replace("#", str(len(items)))).encode())) >= 0:
            items.append(one)
        return (head + "".join(items).removesuffix(",") + tail).encode()

    return make


def _events(kind: str, data: object) -> MakeBody:
    """A session whose events are all the same."""
    return _filled(_event_head(), dump({"type": kind, "data": data}).decode() + ",", "]}}")


def _event_head() -> str:
    """A session up to its first event."""
    data = {name: value for name, value in session().items() if name != "events"}
    return dump({"data": data}).decode().removesuffix("}}") + ',"events":['


def _nested(size: int, opening: str, closing: str, core: str = "") -> bytes:
    depth = (size - 24) // (len(opening) + len(closing))
    return (opening * depth + core + closing * depth).encode()


def _with_wrong_event(size: int, index: int) -> bytes:
    body = json.loads(of_size(size))
    body["data"]["events"][index] = {"type": "click", "data": {"x": 1, "timestamp": 2}}
    return dump(body)


def _with_wrong_tag(size: int) -> bytes:
    body = json.loads(encrypted(of_size(size * 7 // 10)))
    return dump({**body, "tag": base64.b64encode(bytes(32)).decode()})
