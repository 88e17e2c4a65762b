"""Changes that are made at random: to parsed JSON, to how it is written, and to bytes.

All take a `random.Random`, so that a seed, or Hypothesis, decides.
"""

import copy
import json
import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from tests.support import SESSION_ID
from unisights.testing import NUMBERS

Path = tuple[str | int, ...]

ODD_NUMBERS = [
    *NUMBERS,
    *(-1, -0.5, -5e-324, -1e-9, 1e300, 1.7976931348623157e308, -(10**30), 10**308),
    *(1 - 2**53, -(2**53), 2**53 + 1, 2**53 - 1.0, 2.0**53, -(2**63) - 1, 2**64 - 1, 0.1 + 0.2),
    *(math.inf, -math.inf),
]
"""Numbers at which parsers and bounds differ; infinite ones stand for what no double holds."""

ODD_TEXTS = [
    *("", " ", "x", "0", "\x00", "\ud83d", "\udc00x", "😀", "é", "\ufeff", "x" * 300, "a/b~c"),
    *("good", "bad", "click", "error", "false", "null", "javascript", "__proto__", "constructor"),
    *(SESSION_ID, SESSION_ID.upper(), SESSION_ID + "\n", " " + SESSION_ID[1:], "0" * 36),
    *("😀" * 36, SESSION_ID[:-1] + "😀", SESSION_ID[:-1] + "٠", SESSION_ID[:-1] + "\ud800"),
    *("not a url", "https://", "https:///x", "http:x", "HTTP:x", "https://a b", "file:x", "x:"),
    *("//e.com", "1a:b", "a_b:c", "about:blank", "mailto:é", "https://é/", "https://a\n"),
    *("https://\ud800", "https://a\u2028", "https://?", "é:x", "x:\x00", "x:😀", "https://#"),
]
"""Strings at which encodings, patterns and lengths differ."""

ODD_VALUES = [
    *(None, True, False, [], {}, [1], ["x"], [[]], {"a": 1}, {"a": "b"}, {"type": "click"}),
    *({"type": "unknown", "data": {}}, {"type": None}, {"type": ["click"]}, {"data": {}}),
]
"""Values that are neither numbers nor strings."""

ODD_CHARACTERS = " \n\x00-:/?#Aé٠😀\ud83d\udc00\u2028"


def paths_of(obj: Any, path: Path = ()) -> Iterator[Path]:
    """The path to every place inside parsed JSON."""
    if not isinstance(obj, dict | list):
        return
    for key in obj if isinstance(obj, dict) else range(len(obj)):
        yield (*path, key)
        yield from paths_of(obj[key], (*path, key))


def holder_of(obj: Any, path: Path) -> Any:
    """The array or object that holds the place at a path."""
    for key in path[:-1]:
        obj = obj[key]
    return obj


# Parsed JSON.


def mutate(random: Random, original: Any) -> Any:
    """Parsed JSON with one or two places changed; the original stays as it is."""
    obj = copy.deepcopy(original)
    for _ in range(random.choice([1, 1, 1, 2])):
        paths = list(paths_of(obj))
        if not paths:
            return odd_value(random)
        path = random.choice(paths)
        random.choice(_CHANGES)(random, holder_of(obj, path), path[-1])
    return obj


def odd_value(random: Random) -> Any:
    """Any JSON value at which judges might differ."""
    return copy.deepcopy(random.choice(random.choice([ODD_NUMBERS, ODD_TEXTS, ODD_VALUES])))


def _delete(_random: Random, holder: Any, key: Any) -> None:
    del holder[key]


def _swap(random: Random, holder: Any, key: Any) -> None:
    holder[key] = odd_value(random)


def _nudge(random: Random, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        holder[key] = random.choice(ODD_NUMBERS)
        return
    holder[key] = random.choice(
        [
            *(value + 1, value - 1, value + 0.5, -value, float(value), value * 10**15),
            *(math.nextafter(value, math.inf), math.nextafter(value, -math.inf)),
        ]
    )


def _edit(random: Random, holder: Any, key: Any) -> None:
    text = holder[key] if isinstance(holder[key], str) else random.choice(ODD_TEXTS)
    # The beginning decides of most patterns.
    place = random.choice([0, len(text), random.randint(0, len(text)), min(len(text), 8)])
    inserted = random.choice(["", random.choice(ODD_CHARACTERS)])
    holder[key] = text[:place] + inserted + text[place + random.randint(0, 1) :]


def _nest(random: Random, holder: Any, key: Any) -> None:
    value = holder[key]
    for _ in range(random.choice([1, 1, 1, 80])):
        value = random.choice([[value], {"data": value}, {"type": value}])
    holder[key] = value


def _copy(random: Random, holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.insert(random.randint(0, len(holder)), copy.deepcopy(holder[key]))
    else:
        holder[random.choice([*holder, "copy"])] = copy.deepcopy(holder[key])


def _rename(random: Random, holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        name = random.choice([key.upper(), f"{key} ", f"{key}\x00", f"{key}\ud800", "", "type"])
        holder[name] = holder.pop(key)


def _add(random: Random, holder: Any, _key: Any) -> None:
    if isinstance(holder, list):
        holder.insert(random.randint(0, len(holder)), odd_value(random))
    else:
        holder[random.choice([*ODD_TEXTS, "encrypted", "envelope", "data"])] = odd_value(random)


_CHANGES: list[Callable[[Random, Any, Any], None]] = [
    *(_delete, _swap, _swap, _nudge, _nudge, _edit, _edit, _nest, _copy, _rename, _add),
]


# How it is written.

NOT_JSON = [
    *("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x1", "1e", "-", "'x'", "undefined"),
    *("True", "nul", '"\\x"', '"\\ud83"', '"\t"', "[1,]", "{,}", "/**/1", "1 2", '"', "{", "]"),
]
"""What stands where a value should, and is none."""


def write(random: Random, value: Any) -> bytes:
    """JSON text of a value; in some cases with every freedom that JSON leaves, and a few more."""
    oddness = random.choice([0, 0, 0.02, 0.2])
    text = _write(random, value, oddness)
    if not oddness:
        return text.encode()
    prefix = random.choice(["", "", "", "", "\ufeff", " \t\r\n"])
    suffix = random.choice(["", "", "", "", " \t\r\n"])
    if random.random() < 0.05:
        prefix = random.choice(["", "\ufeff\ufeff", " \ufeff", "\x0c", "\u00a0"])
        suffix = random.choice(["\x00", ",", "\u2028", "{}", "\ufeff"])
    return (prefix + text + suffix).encode()


def _write(random: Random, value: Any, oddness: float) -> str:
    is_odd = random.random() < oddness
    if is_odd and random.random() < 0.01:
        return random.choice(NOT_JSON)
    space = random.choice(["", " ", "\n\t\r "]) if is_odd else ""
    match value:
        case str():
            return space + _write_text(random, value, is_odd=is_odd)
        case dict():
            members = [
                f"{_write_text(random, key, is_odd=is_odd)}{space}:{_write(random, item, oddness)}"
                for key, item in value.items()
            ]
            if members and random.random() < oddness / 2:
                key = _write_text(random, random.choice([*value]), is_odd=True)
                twice = f"{key}:{_write(random, odd_value(random), 0)}"
                members.insert(random.randint(0, len(members)), twice)
            return "{" + space + f"{space},".join(members) + space + "}"
        case list():
            return "[" + ",".join(_write(random, item, oddness) for item in value) + space + "]"
        case bool() | None:
            return json.dumps(value) + space
    return space + _write_number(random, value, is_odd=is_odd)


def _write_text(random: Random, text: str, *, is_odd: bool) -> str:
    has_surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    written = json.dumps(text, ensure_ascii=has_surrogates or random.random() < 0.3)
    if is_odd and text and written[1] not in '\\"' and written[1] <= "\uffff":
        written = f'"\\u{ord(written[1]):04X}{written[2:]}'
    return written


def _write_number(random: Random, value: float, *, is_odd: bool) -> str:
    if isinstance(value, float) and math.isinf(value):
        sign = "-" if value < 0 else ""
        return sign + random.choice(["1e400", "1E+999", "9" * 400, "1" + "0" * 309, "2e308"])
    if isinstance(value, float):
        return (
            random.choice([repr(value), f"{value:.25e}", f"{value:E}"]) if is_odd else repr(value)
        )
    if not is_odd:
        return str(value)
    return random.choice(
        [f"{value}.0", f"{value}e0", f"{value}0e-1", f"{value}.{'0' * 40}", f"{value}E+00"]
        + ([f"-{value}", f"{value}e9999", f"{value}e-9999"] if value >= 0 else [])
    )


# Bytes.

FRAGMENTS = [
    *(b"", b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"0", b"-", b".", b"e", b"1e5", b" "),
    *(b"null", b"true", b"NaN", b"\\u0000", b"\\ud83d", b"\\x", b"\x00", b"\xff", b"\xed\xa0\x80"),
    *(b"\xef\xbb\xbf", b"\n", b'"x":1,', b'"type":"click",', b"[[", b"]]", b'{"data":', b"1.0"),
    *(b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98\x80", b"\\ud83d\\ude00", b"\x7f", b"\x1f"),
    *(b'"encrypted":true,', b'"data":null,', b"1e400", b"-0", b'"":"",', b"\\/"),
]


def damage(random: Random, body: bytes) -> bytes:
    """Bytes with a few of them replaced, or cut, or with a piece written twice."""
    for _ in range(random.choice([1, 1, 2, 3])):
        start = random.randint(0, len(body))
        match random.randrange(10):
            case 0:
                body = body[:start]
            case 1:
                end = min(len(body), start + random.randint(1, 40))
                body = body[:end] + body[start:end] + body[end:]
            case 2:
                flipped = bytes([body[start] ^ 1 << random.randrange(8)]) if body[start:] else b""
                body = body[:start] + flipped + body[start + 1 :]
            case _:
                fragment = random.choice(FRAGMENTS)
                body = body[:start] + fragment + body[start + random.randint(0, 4) :]
    return body
