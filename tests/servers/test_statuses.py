"""The status table, over the wire, for every app on every server."""

import gzip
import hashlib
import itertools
import zlib
from collections import Counter
from typing import Any

import pytest

from tests.processes import wait_for
from tests.servers.apps.settings import FAILING
from tests.servers.conftest import PAGE
from tests.servers.servers import GRANIAN_WSGI, Running
from tests.servers.wire import JSON, ask_and_send, converse, head, send_and_leave
from tests.support import CAPTURES, SESSION_ID, capture, capture_headers, make_body

LIMIT = 1024 * 1024
BODY = make_body(asset_id="refused")
BOMB = gzip.compress(b" " * 64 * LIMIT)

ENCODERS = {"gzip": gzip.compress, "deflate": zlib.compress}

REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "empty": (400, {"body": b""}),
    "words": (400, {"body": b"not json"}),
    "not-utf-8": (400, {"body": BODY.replace(b"refused", b"\xc3\x28")}),
    "deep": (400, {"body": b"[" * 100_000}),
    "not-gzip": (400, {"body": BODY, "headers": {**JSON, "Content-Encoding": "gzip"}}),
    "origin": (403, {"body": BODY, "headers": {**JSON, "Origin": "https://other.example"}}),
    "length": (413, {"body": BODY.ljust(LIMIT + 1)}),
    "chunked": (413, {"chunks": [BODY.ljust(LIMIT), b" "]}),
    "bomb": (413, {"body": BOMB, "headers": {**JSON, "Content-Encoding": "gzip"}}),
    "text": (415, {"body": BODY, "headers": {"Content-Type": "text/plain"}}),
    "encoding": (415, {"body": BODY, "headers": {**JSON, "Content-Encoding": "br"}}),
    "invalid": (422, {"body": make_body(asset_id="refused", session_id="x")}),
}

_numbers = itertools.count()


def _fresh() -> str:
    """A label that nothing else has."""
    return f"label-{next(_numbers)}"


def _assert_handled_once(server: Running, label: str) -> None:
    wait_for(lambda: label in server.labels("handled"), f"the handling of {label}")
    assert server.labels("started")[label] == 1


def test_a_valid_payload(server: Running) -> None:
    """200 once the handler has run, or 202 before it does; it runs once in either case."""
    label = _fresh()
    answer = server.post(label)
    if server.combination.app.accepted == 200:
        assert label in server.labels("handled")
        assert answer.json() == {"status": "received", "session_id": SESSION_ID}
    else:
        assert answer.json() == {"status": "queued", "session_id": SESSION_ID}
    assert answer.status == server.combination.app.accepted
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.body))
    _assert_handled_once(server, label)


@pytest.mark.parametrize("pieces", [1, 5])
def test_a_chunked_payload(server: Running, pieces: int) -> None:
    """A body without a declared length is taken, in however many pieces it comes."""
    label = _fresh()
    body = make_body(asset_id=label)
    size = -(-len(body) // pieces)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    assert server.call(chunks=chunks).status == server.combination.app.accepted
    _assert_handled_once(server, label)


def test_a_body_of_exactly_the_limit(server: Running) -> None:
    """max_payload_size itself is not over the limit, whatever limits the framework has."""
    label = _fresh()
    assert (
        server.call(body=make_body(asset_id=label).ljust(LIMIT)).status
        == server.combination.app.accepted
    )
    _assert_handled_once(server, label)


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_compressed_payload(server: Running, encoding: str, chunked: bool) -> None:
    """Gzip and deflate are inflated."""
    label = _fresh()
    body = ENCODERS[encoding](make_body(asset_id=label))
    sent: dict[str, Any] = {"chunks": [body]} if chunked else {"body": body}
    answer = server.call(headers={**JSON, "Content-Encoding": encoding}, **sent)
    assert answer.status == server.combination.app.accepted
    _assert_handled_once(server, label)


def test_a_preflight(server: Running) -> None:
    """204 with what a browser asks for, for a listed origin."""
    answer = server.call(
        "OPTIONS",
        headers={
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == PAGE
    assert answer.header("access-control-allow-credentials") == "true"
    assert "content-type" in (answer.header("access-control-allow-headers") or "")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods(server: Running, method: str) -> None:
    """405 names the methods that are allowed."""
    answer = server.call(method)
    assert answer.status == 405
    assert answer.header("allow") == "POST, OPTIONS"


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal(server: Running, kind: str) -> None:
    """What is refused has its own status, says why, and is not handled."""
    status, call = REFUSALS[kind]
    answer = server.call(**call)
    assert answer.status == status
    assert isinstance(answer.json()["error"], str)
    assert ("errors" in answer.json()) is (status == 422)
    assert b"Traceback" not in answer.body
    assert "refused" not in server.labels("started")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_a_client_that_asks_before_it_sends(server: Running, content_type: str) -> None:
    """With `Expect: 100-continue`, a client gets its response, whoever answers the question."""
    label = _fresh()
    body = make_body(asset_id=label).ljust(LIMIT)
    answer = ask_and_send(server.port, body, **{"Content-Type": content_type})
    if content_type == "text/plain":
        assert answer.status == 415
    else:
        assert answer.status == server.combination.app.accepted
        _assert_handled_once(server, label)


def test_a_refusal_carries_cors_headers(server: Running) -> None:
    """A page of a listed origin may read why it was refused."""
    answer = server.call(body=b"{", headers={**JSON, "Origin": PAGE})
    assert answer.status == 400
    assert answer.header("access-control-allow-origin") == PAGE


def test_a_handler_that_fails(server: Running) -> None:
    """500 without the reason if the handler runs inline; on_error hears of it in any case."""
    before = server.labels("errors")[FAILING]
    answer = server.post(FAILING)
    if server.combination.app.accepted == 200:
        assert (answer.status, answer.json()) == (500, {"error": "the handler failed"})
    else:
        assert answer.status == 202
    wait_for(lambda: server.labels("errors")[FAILING] == before + 1, "the call of on_error")


def test_a_connection_that_is_kept(server: Running) -> None:
    """A refusal leaves nothing of its body behind that the next request could be taken for."""
    label = _fresh()
    taken = ("POST", make_body(asset_id=label), JSON)
    calls = [
        taken,
        ("POST", BODY, {"Content-Type": "text/plain"}),
        taken,
        ("PUT", BODY, JSON),
        taken,
        ("HEAD", None, {}),
        ("POST", BODY.ljust(2 * LIMIT), JSON),
        taken,
    ]
    accepted = server.combination.app.accepted
    expected = [accepted, 415, accepted, 405, accepted, 405, 413, accepted]
    assert converse(server.port, calls) == expected
    wait_for(lambda: server.labels("handled")[label] == 4, "the handling of what was taken")
    assert "refused" not in server.labels("started")


@pytest.mark.parametrize("kind", ["length", "chunked", "within-a-chunk"])
def test_half_a_body(request: pytest.FixtureRequest, server: Running, kind: str) -> None:
    """A client that goes away before its body's end sent no event, however whole it looks."""
    if server.combination.server == GRANIAN_WSGI and kind != "length":
        reason = "granian tells WSGI apps of a cut chunked body as if it had ended"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    label = _fresh()
    body = make_body(asset_id=label)
    size = f"{len(body):x}\r\n".encode()
    sent = {
        "length": head(Content_Length=str(len(body) + 1)) + body,
        "chunked": head(Transfer_Encoding="chunked") + size + body + b"\r\n",
        "within-a-chunk": head(Transfer_Encoding="chunked") + b"fff\r\n" + body,
    }[kind]
    answer = send_and_leave(server.port, sent)
    assert answer.status == 0 or answer.status >= 400
    after = _fresh()
    server.post(after)
    _assert_handled_once(server, after)
    assert label not in server.labels("started")


def test_every_recorded_body(server: Running) -> None:
    """All that the real client sends arrives, byte for byte."""
    for name in CAPTURES:
        headers = capture_headers(name)
        answer = server.call(body=capture(name), headers=headers)
        assert answer.status == server.combination.app.accepted
        assert answer.header("access-control-allow-origin") == headers["origin"]
    sent = Counter(hashlib.sha256(capture(name)).hexdigest() for name in CAPTURES)

    def arrived() -> Counter[str]:
        digests = [record["digest"] for record in server.records("handled")]
        return Counter(digest for digest in digests if digest in sent)

    wait_for(lambda: arrived().total() >= sent.total(), "the handling of every capture")
    assert arrived() == sent
