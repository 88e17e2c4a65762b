"""Cross-origin requests, on every adapter: the headers that let a beacon through."""

from typing import Any

import pytest

from tests.adapters.drivers import Call
from tests.support import make_body

PAGE = "https://page.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
}


@pytest.mark.parametrize("origin", [PAGE, "http://127.0.0.1:9001", "null"])
def test_any_origin_is_echoed(connect: Any, origin: str) -> None:
    """With the default, preflight and answer echo the origin and allow credentials."""
    client = connect()
    preflight = client.call(Call("OPTIONS", headers={"origin": origin, **PREFLIGHT}))
    assert preflight.status == 204
    assert preflight.body == b""
    answer = client.post(make_body(), origin=origin)
    assert answer.status == 200
    for reply in (preflight, answer):
        assert reply.header("access-control-allow-origin") == origin
        assert reply.header("access-control-allow-credentials") == "true"
        assert reply.header("vary") == "Origin"
    allowed = (preflight.header("access-control-allow-headers") or "").split(", ")
    assert "content-type" in allowed
    assert "*" not in allowed
    assert preflight.header("access-control-max-age") == "600"
    assert "POST" in (preflight.header("access-control-allow-methods") or "")


def test_only_listed_origins_come_in(connect: Any, recorder: Any) -> None:
    """With a list, its members come in; others are 403, preflight and POST, without headers."""
    client = connect(handler=recorder, allow_origins=[PAGE, "null"])
    for origin in (PAGE, "null"):
        assert client.post(make_body(), origin=origin).status == 200
    for origin in (
        "https://evil.example",
        f"{PAGE}.evil.example",
        f"{PAGE}:8443",
        "http://page.example",
    ):
        preflight = client.call(Call("OPTIONS", headers={"origin": origin, **PREFLIGHT}))
        answer = client.post(make_body(), origin=origin)
        for reply in (preflight, answer):
            assert reply.status == 403
            assert reply.header("access-control-allow-origin") is None
    assert len(recorder.payloads) == 2


def test_requests_without_an_origin_come_in(connect: Any) -> None:
    """Servers and curl send no Origin, and are not asked for one."""
    answer = connect(allow_origins=[PAGE]).post(make_body())
    assert answer.status == 200
    assert answer.header("access-control-allow-origin") is None


def test_errors_carry_the_headers_too(connect: Any) -> None:
    """A page can read why it was refused."""

    def handler(payload: Any, request: Any) -> None:
        raise LookupError

    client = connect(handler=handler, max_payload_size=1000)
    statuses = []
    for call in (
        Call(headers={"origin": PAGE}, chunks=(b"{",)),
        Call("GET", headers={"origin": PAGE}),
        Call(headers={"origin": PAGE}, chunks=(b" " * 1001,)),
        Call(headers={"origin": PAGE, "content-type": "text/plain"}, chunks=(b"{}",)),
        Call(headers={"origin": PAGE}, chunks=(b"{}",)),
        Call(headers={"origin": PAGE}, chunks=(make_body(),)),
    ):
        answer = client.call(call)
        statuses.append(answer.status)
        assert answer.header("access-control-allow-origin") == PAGE
        assert answer.header("access-control-allow-credentials") == "true"
    assert statuses == [400, 405, 413, 415, 422, 500]


def test_what_is_no_origin_is_not_echoed(connect: Any) -> None:
    """A header value that no browser sends is refused rather than echoed."""
    answer = connect().post(make_body(), origin="https://a.example, https://b.example")
    assert answer.status == 403
    assert answer.header("access-control-allow-origin") is None


def test_more_origins_than_are_remembered(connect: Any) -> None:
    """Each of any number of origins gets its own headers, again and again, however long it is."""
    client = connect()
    origins = [f"https://shop{number}.example" for number in range(150)]
    for origin in [*origins, "https://" + "a" * 400 + ".example", *origins[:3]]:
        answer = client.post(make_body(), origin=origin)
        assert answer.header("access-control-allow-origin") == origin
