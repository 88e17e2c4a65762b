"""What every answer must be like, whatever was sent: the core's invariants.

A request is written as bytes, so that a fuzzer can change all of it:

    0p POST                       settings, piece size, method
    origin: https://example.com   headers
                                  a blank line, then the body
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.fuzz.judges import Expected, expect
from unisights import UnisightsOptions
from unisights._http.responses import HTTPResponse
from unisights.collector import Collector, Refused
from unisights.request import RequestInfo, merge_headers

LIMIT = 4096
"""Small, so that a fuzzer reaches it."""

STATUSES = {200, 204, 400, 403, 405, 413, 415, 422}

LISTED = ("https://example.com", "null")

_OPEN = UnisightsOptions(max_payload_size=LIMIT)
OPTIONS = [
    _OPEN,
    replace(_OPEN, allow_origins=LISTED),
    replace(_OPEN, validate_schema=False, debug=True),
    replace(_OPEN, validate_required_fields=False),
    replace(_OPEN, validate_schema=False, validate_required_fields=False, allow_origins=LISTED),
    replace(_OPEN, server_secret="secret"),
]
STRICT = (0, 1)
"""The options by which the referee can tell what is to be accepted."""

COLLECTORS = [Collector(options) for options in OPTIONS]


@dataclass(frozen=True)
class Sent:
    """A request.

    Attributes:
        option: which of `OPTIONS` it is served with.
        size: how large the pieces are in which its body arrives.
    """

    option: int
    size: int
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def info(self) -> RequestInfo:
        """The request as the core sees it."""
        return RequestInfo(method=self.method, path="/events", headers=merge_headers(self.headers))

    @property
    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives."""
        for start in range(0, len(self.body), self.size):
            yield self.body[start : start + self.size]


_COMPRESSED = 0x40


def read(written: bytes) -> Sent:
    """Read a request as this module writes it; any bytes are one."""
    head, _, body = written.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    option, size, method = ord(first[:1] or "0"), ord(first[1:2] or "p"), first[3:].upper()
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs if name)
    if option & _COMPRESSED:
        # No fuzzer finds a right checksum.
        body = _compressed(body, dict(headers).get("content-encoding", ""))
    return Sent(option % 16 % len(OPTIONS), size % 128 * 16 + 1, method, headers, body)


def written(
    body: bytes, *, option: int = 0, method: str = "POST", headers: dict[str, str] | None = None
) -> bytes:
    """Write a request; a content encoding among the headers is put on its body when it is read."""
    headers = {"content-type": "application/json", **(headers or {})}
    settings = chr(option + 0x30 + (_COMPRESSED if "content-encoding" in headers else 0))
    lines = [f"{settings}p {method}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\n".join(lines).encode("latin-1") + b"\n\n" + body


def _compressed(body: bytes, encoding: str) -> bytes:
    if encoding.endswith("gzip"):
        return gzip.compress(body, mtime=0)
    return zlib.compress(body) if encoding == "deflate" else body


def answer(sent: Sent) -> HTTPResponse:
    """What the core answers, read to the end and with no handler."""
    collector, info = COLLECTORS[sent.option], sent.info
    if (refusal := collector.screen(info)) is not None:
        return refusal
    buffer = collector.buffer(info)
    for piece in sent.pieces:
        if (refusal := collector.add_piece(info, buffer, piece)) is not None:
            return refusal
    decision = collector.decide(info, buffer)
    if isinstance(decision, Refused):
        return decision.response
    return collector.responses.accepted(info, decision.payload, 200)


# What must be true of an answer.


def check(sent: Sent, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Assert that an answer is one that the request may get."""
    assert status in STATUSES, status
    _check_headers(sent, status, headers)
    if status == 204:
        assert body == b""
        return
    assert ("content-type", "application/json") in headers
    content = json.loads(body)
    if status == 200:
        assert content["status"] == "received"
        assert sent.method == "POST"
        if sent.option in STRICT:
            _check_accepted(sent, content)
    else:
        assert isinstance(content["error"], str), content
        assert content["error"]
        _check_problems(status, content)
    if _is_simple(sent):
        assert status in _simple_statuses(sent)


def _check_headers(sent: Sent, status: int, headers: list[tuple[str, str]]) -> None:
    names = [name for name, _ in headers]
    assert len(names) == len(set(names)), "a header came twice"
    assert all(re.fullmatch("[a-z-]+", name) for name in names)
    assert all(value.isascii() and value.isprintable() for _, value in headers)
    found, origin = dict(headers), sent.info.headers.get("origin")
    assert found["vary"] == "Origin"
    if origin is None or status == 403:
        assert status != 403 or origin is not None
        assert not [name for name in names if name.startswith("access-control-allow-origin")]
    else:
        assert found["access-control-allow-origin"] == origin
        assert found["access-control-allow-credentials"] == "true"
        assert "*" in OPTIONS[sent.option].allow_origins or origin in LISTED
    assert ("allow" in found) is (status in {204, 405})


def _check_problems(status: int, content: dict[str, Any]) -> None:
    assert ("errors" in content) is (status == 422)
    if status == 422:
        assert 0 < len(content["errors"]) <= 100
        assert content["errors"][0]["message"] == content["error"]
        for problem in content["errors"]:
            assert sorted(problem) == ["message", "pointer", "rule"]
            assert all(isinstance(value, str) for value in problem.values())
            assert re.fullmatch("(/.*)?", problem["pointer"], re.DOTALL)


def _check_accepted(sent: Sent, content: dict[str, Any]) -> None:
    accepted = [expected for expected in _readings(sent) if expected.problems == set()]
    if any(expected.is_deep for expected in _readings(sent)):
        return
    assert accepted, "200 for what the referee refuses"
    assert content["session_id"] in [expected.data["session_id"] for expected in accepted]


def _readings(sent: Sent) -> Iterator[Expected]:
    """What the referee says of the body, however it may be compressed."""
    if len(sent.body) <= LIMIT:
        yield expect(sent.body)
    for window in (16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS):
        inflated, rest = b"", sent.body
        while rest:
            inflater = zlib.decompressobj(window)
            try:
                inflated += inflater.decompress(rest, LIMIT + 1)
            except zlib.error:
                break
            rest = inflater.unused_data
            if not rest and inflater.eof and len(inflated) <= LIMIT:
                yield expect(inflated)


_SIMPLE_HEADERS = {("content-type", "application/json"), *(("origin", name) for name in LISTED)}


def _is_simple(sent: Sent) -> bool:
    """Whether the status depends on nothing but the body."""
    names = [name for name, _ in sent.headers]
    return (
        sent.option in STRICT
        and sent.method == "POST"
        and _SIMPLE_HEADERS.issuperset(sent.headers)
        and len(names) == len(set(names))
    )


def _simple_statuses(sent: Sent) -> set[int]:
    if len(sent.body) > LIMIT:
        return {413}
    statuses = {"valid": {200}, "not JSON": {400}, "invalid": {422}, "too deep": {200, 400, 422}}
    return statuses[expect(sent.body).result]
