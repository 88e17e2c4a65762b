"""The core alone: edges of screening, inflating and logging that no adapter has a part in."""

import gzip
import json
import logging
import tracemalloc
import zlib
from types import SimpleNamespace

import pytest

from tests.support import make_body, seal
from unisights import UnisightsOptions
from unisights._http.body import OFFLOAD_SIZE, BodyBuffer, BodyTooLargeError
from unisights._http.responses import HTTPResponse
from unisights.collector import Collector, Refused
from unisights.errors import InvalidJSONError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

LIMIT = 1000


def info_of(method: str = "POST", **headers: str) -> RequestInfo:
    """A request with these headers, underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestInfo(method=method, path="/events", headers=named)


def accepted(
    collector: Collector, body: bytes, info: RequestInfo
) -> UnisightsPayload | HTTPResponse:
    """The payload of a body that is accepted, or the response to one that is refused."""
    buffer = collector.buffer(info)
    buffer.add(body)
    decision = collector.decide(info, buffer)
    return decision.response if isinstance(decision, Refused) else decision.payload


def inflated(encoding: str, body: bytes, limit: int = LIMIT) -> bytes:
    """What a body in an encoding is."""
    buffer = BodyBuffer(limit, encoding)
    buffer.add(body)
    return buffer.finish()


def stored(body: bytes, first: int = 0) -> bytes:
    """Deflate without its header, nothing compressed; the first byte's high bits are padding."""
    size = len(body).to_bytes(2, "little")
    complement = (len(body) ^ 0xFFFF).to_bytes(2, "little")
    return bytes([first]) + size + complement + body + b"\x03\x00"


# Screening.


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"content_type": " Application/Json ; a=1; b=2"}, None),
        ({"content_type": 'application/json;a="x;y"'}, None),
        ({"content_type": ";application/json"}, None),
        ({"content_type": "text/json"}, 415),
        ({"content_type": "text/plain;application/json"}, 415),
        ({"content_encoding": ""}, None),
        ({"content_encoding": " GZip "}, None),
        ({"content_encoding": "gzip,"}, 415),
        ({"content_length": "1000"}, None),
        ({"content_length": "1001"}, 413),
        ({"content_length": "0" * 30}, 413),
        ({"content_length": "9" * 5000}, 413),
        ({"content_length": "-1"}, None),
        ({"content_length": "²"}, None),
        ({"content_length": ""}, None),
        ({"origin": "https://page.example"}, None),
        ({"origin": "null"}, None),
        ({"origin": "https://pagé.example"}, 403),
        ({"origin": "https://page.example\x7f"}, 403),
        ({"origin": "https://page.example\t"}, 403),
        ({"origin": "https://a.example https://b.example"}, 403),
    ],
)
def test_screening_goes_by_the_headers(headers: dict[str, str], status: int | None) -> None:
    """What the headers say decides whether the body is read, and is the answer otherwise."""
    collector = Collector(UnisightsOptions(max_payload_size=LIMIT))
    response = collector.screen(info_of(**headers))
    assert (response and response.status) == status


PAGE = "https://page.example"
ECHO = [("access-control-allow-origin", PAGE), ("access-control-allow-credentials", "true")]
PREFLIGHT = [
    ("access-control-allow-methods", "POST"),
    ("access-control-allow-headers", "content-type, content-encoding"),
    ("access-control-max-age", "600"),
    ("allow", "POST, OPTIONS"),
]


@pytest.mark.parametrize(
    ("listed", "origin", "status", "headers"),
    [
        (["*"], PAGE, 204, ECHO),
        (["*"], "", 204, [("access-control-allow-origin", ""), ECHO[1]]),
        (["*", PAGE], PAGE + ":1", 204, [("access-control-allow-origin", PAGE + ":1"), ECHO[1]]),
        (["null", PAGE], PAGE, 204, ECHO),
        ([PAGE], None, 204, []),
        ([PAGE], "https://other.example", 403, []),
        ([], PAGE, 403, []),
    ],
)
def test_origins_are_echoed_where_they_may_send(
    listed: list[str], origin: str | None, status: int, headers: list[tuple[str, str]]
) -> None:
    """Every answer says that it varies; those to allowed origins let the page's beacon through."""
    collector = Collector(UnisightsOptions(allow_origins=listed))
    named = {} if origin is None else {"origin": origin}
    response = collector.screen(info_of("OPTIONS", **named))
    assert response is not None
    assert response.status == status
    rest = PREFLIGHT if status == 204 else []
    found = [pair for pair in response.headers if pair[0] != "content-type"]
    assert found == [*headers, ("vary", "Origin"), *rest]


def test_only_post_is_read() -> None:
    """Other methods are answered with those that are allowed."""
    response = Collector(UnisightsOptions()).screen(info_of("GET"))
    assert response is not None
    assert response.status == 405
    assert ("allow", "POST, OPTIONS") in response.headers


def test_options_reach_the_decoder() -> None:
    """A payload is decoded with the secret and the checks that are set, and bears its time."""
    collector = Collector(
        UnisightsOptions(
            server_secret="s3cret", validate_schema=False, validate_required_fields=False
        )
    )
    session = json.dumps({"asset_id": "site-1", "scroll_depth": "far"}).encode()
    body = json.dumps(seal(session, server_secret="s3cret")).encode()
    info = info_of()
    payload = accepted(collector, body, info)
    assert isinstance(payload, UnisightsPayload)
    assert payload.data.scroll_depth == "far"
    assert payload.received_at == info.received_at
    strict = Collector(UnisightsOptions(server_secret="s3cret"))
    for collector in (strict, Collector(UnisightsOptions(validate_schema=False))):
        response = accepted(collector, body, info)
        assert isinstance(response, HTTPResponse)
        assert response.status == 422


def test_a_body_too_large_once_inflated_is_413() -> None:
    """The limit is on what was sent and on what it inflates to."""
    collector = Collector(UnisightsOptions(max_payload_size=LIMIT))
    for size, status in ((LIMIT, 400), (LIMIT + 1, 413)):
        info = info_of(content_encoding="gzip")
        response = accepted(collector, gzip.compress(b" " * size), info)
        assert isinstance(response, HTTPResponse)
        assert response.status == status


def test_refusals_name_what_is_taken() -> None:
    """A body that is too large is told the limit."""
    collector = Collector(UnisightsOptions(max_payload_size=LIMIT))
    info = info_of()
    buffer = collector.buffer(info)
    assert collector.add_piece(info, buffer, b" " * LIMIT) is None
    response = collector.add_piece(info, buffer, b" ")
    assert response is not None
    assert response.status == 413
    assert json.loads(response.body) == {"error": "the body is larger than 1000 bytes"}


# Bodies.


def test_a_body_is_bounded_as_sent() -> None:
    """Up to the limit everything is kept, in whatever pieces; over it nothing is."""
    buffer = BodyBuffer(5, "identity")
    for piece in (b"", b"ab", b"", b"cd", b"e", b""):
        buffer.add(piece)
    assert (buffer.size, buffer.finish()) == (5, b"abcde")
    with pytest.raises(BodyTooLargeError):
        buffer.add(b"f")
    assert (buffer.size, buffer.finish()) == (0, b"")


def test_a_single_piece_is_not_copied() -> None:
    """A body that comes in one piece is that piece."""
    body = make_body()
    assert inflated("identity", body) is body


@pytest.mark.parametrize(
    ("encoding", "size", "costly"),
    [
        ("identity", OFFLOAD_SIZE, False),
        ("identity", OFFLOAD_SIZE + 1, True),
        ("gzip", 1, True),
    ],
)
def test_large_and_compressed_bodies_are_costly(encoding: str, size: int, costly: bool) -> None:
    """What is decoded away from the event loop: more than a beacon holds, or who knows how much."""
    buffer = BodyBuffer(2 * OFFLOAD_SIZE, encoding)
    buffer.add(b"x" * size)
    assert buffer.is_costly is costly


@pytest.mark.parametrize("members", [1, 2, 15, 16])
def test_gzip_may_be_up_to_sixteen_members(members: int) -> None:
    """Sixteen members are inflated, one more is refused; the limit is on all of them together."""
    member = gzip.compress(b"1234")
    assert inflated("gzip", member * members, 1000) == b"1234" * members
    with pytest.raises(InvalidJSONError, match=r"^the body has more than 16 gzip members$"):
        inflated("gzip", member * 17)
    assert inflated("gzip", gzip.compress(b"x" * 990) + member, 994)
    with pytest.raises(BodyTooLargeError):
        inflated("gzip", gzip.compress(b"x" * 990) + member, 993)


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("gzip", zlib.compress(b"{}"), "the body is not valid gzip"),
        ("x-gzip", b"{}", "the body is not valid x-gzip"),
        ("deflate", gzip.compress(b"{}", mtime=0), "the body is not valid deflate"),
        (
            "deflate",
            zlib.compress(b"{}") + b"x",
            "the body goes on after its deflate data",
        ),
        ("deflate", zlib.compress(b"{}")[:-1], "the deflate data of the body is incomplete"),
        ("deflate", b"", "the deflate data of the body is incomplete"),
        ("deflate", b"\x78", "the deflate data of the body is incomplete"),
        ("deflate", b"\x78\x9c", "the deflate data of the body is incomplete"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-1], "the gzip data of the body is incomplete"),
    ],
)
def test_broken_compression_is_told(encoding: str, body: bytes, message: str) -> None:
    """The error says whether a body is not in its encoding, is cut, or goes on."""
    with pytest.raises(InvalidJSONError) as caught:
        inflated(encoding, body)
    assert str(caught.value) == message


@pytest.mark.parametrize("first", [0x00, 0x08, 0x78, 0xF8])
def test_deflate_is_told_from_its_header(first: int) -> None:
    """A body is taken to have a zlib header only if both its bytes say so; else it is raw."""
    for size in range(1, 300):
        if first & 0x0F == 8 and (first * 256 + size % 256) % 31 == 0:
            continue  # This is a header.
        assert inflated("deflate", stored(b"x" * size, first)) == b"x" * size


@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("window", range(9, 16))
def test_any_zlib_header_is_known(level: int, window: int) -> None:
    """Whatever level and window the sender chose, its header is recognised."""
    compressor = zlib.compressobj(level, wbits=window)
    assert inflated("deflate", compressor.compress(b"x" * 500) + compressor.flush()) == b"x" * 500


def test_a_bomb_costs_no_memory() -> None:
    """Of what inflates beyond the limit, no more than the limit is ever held."""
    bomb = gzip.compress(b" " * (32 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError):
            inflated("gzip", bomb, len(bomb))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(bomb)


# Logging.


@pytest.mark.parametrize("debug", [False, True])
def test_only_debug_tells_why_a_handler_failed(debug: bool) -> None:
    """The answer holds the exception in debug mode, and nothing of it otherwise."""
    responses = Collector(UnisightsOptions(debug=debug)).responses
    content = json.loads(responses.handler_failed(info_of(), LookupError("place")).body)
    detail = {"detail": "LookupError: place"} if debug else {}
    assert content == {"error": "the handler failed", **detail}


def test_debug_tells_what_came(caplog: pytest.LogCaptureFixture) -> None:
    """In debug mode, payloads are logged, and refusals with their answer and their body's start."""
    caplog.set_level(logging.INFO, logger="unisights")
    collector = Collector(UnisightsOptions(debug=True))
    payload = accepted(collector, make_body(), info_of())
    refused = make_body(session_id="x" * 5000)
    response = accepted(collector, refused, info_of())
    assert isinstance(response, HTTPResponse)
    foreign = collector.screen(info_of(content_type="text/plain"))
    assert isinstance(foreign, HTTPResponse)
    broken = accepted(collector, b"{}", info_of(content_encoding="gzip"))
    assert isinstance(broken, HTTPResponse)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"decoded {len(make_body())} bytes: {payload!r}"),
        ("WARNING", f"refused with 422: {response.body!r}; the body: {refused[:2048]!r}"),
        ("WARNING", f"refused with 415: {foreign.body!r}; the body: b''"),
        ("WARNING", f"refused with 400: {broken.body!r}; the body: b'{{}}'"),
    ]


def test_refusals_are_told_once_a_second(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first refusal is told at once; the next one that is told counts those since by reason."""
    clock = iter([0.0, 0.25, 0.5, 0.99, 1.0, 1.99, 2.0])
    monkeypatch.setattr(
        "unisights._runtime.log.time", SimpleNamespace(monotonic=lambda: next(clock))
    )
    collector = Collector(UnisightsOptions(allow_origins=[]))
    for body in (b"{}", b"{}", b"", b"{}"):
        accepted(collector, body, info_of())
    collector.screen(info_of(origin="https://page.example"))
    for _ in range(2):
        accepted(collector, b"{}", info_of())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "refused with 422, invalid_payload; debug=True tells why"),
        (
            "WARNING",
            (
                "refused with 403, forbidden_origin; debug=True tells why"
                " (and before that 2 × invalid_payload, 1 × invalid_json)"
            ),
        ),
        (
            "WARNING",
            (
                "refused with 422, invalid_payload; debug=True tells why"
                " (and before that 1 × invalid_payload)"
            ),
        ),
    ]
