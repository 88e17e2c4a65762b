"""The status table, on every adapter."""

import json
import logging
import tracemalloc
from typing import Any

import pytest

from tests.adapters.drivers import Call
from tests.support import SESSION_ID, click, make_body, make_data, make_payload, seal

JSON = {"content-type": "application/json"}


def test_a_valid_payload_is_received(connect: Any, recorder: Any) -> None:
    """200 with the session's id, once the handler has run with the typed payload."""
    answer = connect(handler=recorder).post(make_body(events=[click()]))
    assert answer.status == 200
    assert answer.json() == {"status": "received", "session_id": SESSION_ID}
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.body))
    (payload,) = recorder.payloads
    assert payload.data.events[0].data.x == 1
    assert payload.raw == make_body(events=[click()])
    assert payload.received_at > 1_700_000_000_000


def test_no_handler_is_needed(connect: Any) -> None:
    """200 without a handler: the endpoint can be tried before anything is built on it."""
    assert connect().post(make_body()).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"not json",
        b'{"data": NaN}',
        b'{"data": Infinity}',
        b'{"data": 1e999}',
        b"\xff\xfe{}",
        make_body().replace(b"site-1", b"\xc3\x28"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"data": ' + b"1" * 5_000 + b"}",
        make_body() + b"x",
    ],
    ids=[
        "empty",
        "blank",
        "cut",
        "words",
        "nan",
        "infinity",
        "huge-float",
        "not-utf-8",
        "not-utf-8-inside",
        "deep-arrays",
        "deep-objects",
        "many-digits",
        "trailing",
    ],
)
def test_what_is_not_json_is_400(connect: Any, recorder: Any, body: bytes) -> None:
    """400 with a reason and no trace for whatever is not JSON; the handler is not called."""
    answer = connect(handler=recorder).post(body)
    assert answer.status == 400
    assert list(answer.json()) == ["error"]
    assert b"Traceback" not in answer.body
    assert recorder.payloads == []


def test_an_invalid_payload_is_422_with_every_problem(connect: Any, recorder: Any) -> None:
    """422 lists every problem with its pointer and rule, and the first message as the error."""
    bad_click = click(x=True, timestamp="1")
    del bad_click["data"]["y"]
    data = make_data(
        session_id="x", page_url="not a url", events=[click(), {"type": "swipe"}, bad_click]
    )
    answer = connect(handler=recorder).post(json.dumps({"data": data}).encode())
    assert answer.status == 422
    content = answer.json()
    places = {(problem["pointer"], problem["rule"]) for problem in content["errors"]}
    assert places == {
        ("/data/session_id", "minLength"),
        ("/data/session_id", "pattern"),
        ("/data/page_url", "pattern"),
        ("/data/events/1/type", "enum"),
        ("/data/events/2/data", "required"),
        ("/data/events/2/data/x", "type"),
        ("/data/events/2/data/timestamp", "type"),
    }
    assert content["error"] == content["errors"][0]["message"]
    assert recorder.payloads == []


def test_listing_problems_is_bounded(connect: Any) -> None:
    """A payload of nothing but problems gets an answer that is no larger than itself."""
    body = make_body(events=[None] * 100_000)
    answer = connect().post(body)
    assert answer.status == 422
    assert len(answer.json()["errors"]) == 100


@pytest.mark.parametrize("envelope", [False, True], ids=["root", "envelope"])
def test_an_encrypted_payload_is_received(connect: Any, recorder: Any, envelope: bool) -> None:
    """Both encrypted forms arrive equal to the same session sent plain."""
    data = make_data(events=[click()])
    client = connect(handler=recorder)
    sealed = seal(json.dumps(data).encode(), envelope=envelope)
    assert client.post(json.dumps(sealed).encode()).status == 200
    assert client.post(json.dumps({"data": data}).encode()).status == 200
    encrypted, plain = recorder.payloads
    assert encrypted == plain
    assert (encrypted.encrypted, plain.encrypted) == (True, False)


def test_a_failed_decryption_is_422(connect: Any) -> None:
    """422 names the tag when a ciphertext was tampered with."""
    sealed = seal(json.dumps(make_data()).encode())
    sealed["bucket"] += 1
    answer = connect().post(json.dumps(sealed).encode())
    assert answer.status == 422
    assert [problem["pointer"] for problem in answer.json()["errors"]] == ["/tag"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_405(connect: Any, method: str) -> None:
    """405 names the methods that are allowed."""
    answer = connect().call(Call(method=method, headers={}))
    assert answer.status == 405
    assert answer.header("allow") == "POST, OPTIONS"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/json;v=1", None, ""],
)
def test_json_content_types_are_taken(connect: Any, content_type: str | None) -> None:
    """The content type's case and parameters do not matter, and a missing one means JSON."""
    headers = {} if content_type is None else {"content-type": content_type}
    assert connect().call(Call(headers=headers, chunks=(make_body(),))).status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/jsonx"])
def test_other_content_types_are_415(connect: Any, content_type: str) -> None:
    """415 for a body that says it is not JSON."""
    answer = connect().call(Call(headers={"content-type": content_type}, chunks=(make_body(),)))
    assert answer.status == 415


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_the_limit_is_exact(connect: Any, recorder: Any, chunked: bool) -> None:
    """A body of exactly max_payload_size is taken, one byte more is 413, chunked or not."""
    body = make_body()
    client = connect(handler=recorder, max_payload_size=len(body))

    def post(body: bytes) -> int:
        chunks = (body[:10], body[10:]) if chunked else (body,)
        return int(client.call(Call(headers=JSON, chunks=chunks)).status)

    assert post(body) == 200
    assert post(body + b" ") == 413
    assert len(recorder.payloads) == 1


def test_an_endless_body_costs_no_memory(connect: Any) -> None:
    """A body of 64 MiB without a declared length is 413, and little of it is ever held."""
    limit = 1024 * 1024  # Under ASGI, Django holds up to 2.5 MiB before it calls a view.
    client = connect(max_payload_size=limit)
    chunk = b" " * 65536
    client.post(make_body())  # What is set up once is not counted.
    tracemalloc.start()
    try:
        answer = client.call(Call(headers=JSON, chunks=(chunk for _ in range(1024))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 413
    assert peak < 3 * limit


@pytest.mark.parametrize("length", ["9" * 30, "1048577"])
def test_a_declared_length_over_the_limit_is_413(connect: Any, length: str) -> None:
    """413 from the declared length alone, however long the number."""
    answer = connect().call(Call(headers={**JSON, "content-length": length}, chunks=(b"{}",)))
    assert answer.status == 413


def test_half_a_body_is_not_an_event(connect: Any, recorder: Any) -> None:
    """A client that goes away before its body has ended leaves nothing behind."""
    client = connect(handler=recorder)
    client.call(Call(headers=JSON, chunks=(make_body(),), disconnects=True))
    assert recorder.payloads == []


def test_a_failing_handler_is_500(connect: Any, caplog: pytest.LogCaptureFixture) -> None:
    """500 without the reason, which is logged."""

    def handler(payload: Any, request: Any) -> None:
        raise LookupError("secret place")

    answer = connect(handler=handler).post(make_body())
    assert answer.status == 500
    assert answer.json() == {"error": "the handler failed"}
    assert "secret place" in caplog.text


def test_debug_says_why_the_handler_failed(connect: Any) -> None:
    """With debug, the 500 answer holds the exception's type and text, but no trace."""

    async def handler(payload: Any, request: Any) -> None:
        raise LookupError("the place")

    answer = connect(handler=handler, debug=True).post(make_body())
    assert answer.status == 500
    assert answer.json()["detail"] == "LookupError: the place"
    assert b"Traceback" not in answer.body


def test_logs_hold_no_content_unless_debug(connect: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What payloads hold is logged in debug mode only, refused or not."""
    caplog.set_level(logging.DEBUG, logger="unisights")
    refused = make_body(asset_id="tell-tale", session_id="x")
    for debug in (False, True):
        client = connect(debug=debug)
        client.post(make_body(asset_id="tell-tale"))
        client.post(refused)
        assert ("tell-tale" in caplog.text) is debug


def test_values_go_unchecked_without_validate_schema(connect: Any, recorder: Any) -> None:
    """validate_schema=False hands over values as they came, but no shape that has no type."""
    client = connect(handler=recorder, validate_schema=False)
    assert client.post(make_body(page_url="not a url", events=[click(x="left")])).status == 200
    assert recorder.payloads[0].data.events[0].data.x == "left"
    assert client.post(make_body(events=[{"type": "swipe", "data": {}}])).status == 422
    assert client.post(make_body(events={})).status == 422
    missing = make_payload()
    del missing["data"]["asset_id"]
    assert client.post(json.dumps(missing).encode()).status == 422


def test_missing_values_are_none_without_validate_required_fields(
    connect: Any, recorder: Any
) -> None:
    """validate_required_fields=False takes what lacks required fields, but no wrong values."""
    client = connect(handler=recorder, validate_required_fields=False)
    missing = make_payload(events=[{"type": "click", "data": {"x": 1}}])
    del missing["data"]["asset_id"]
    assert client.post(json.dumps(missing).encode()).status == 200
    (payload,) = recorder.payloads
    assert payload.data.asset_id is None
    assert payload.data.events[0].data.y is None
    assert client.post(make_body(page_url="not a url")).status == 422


def test_a_server_secret_is_asked_for(connect: Any) -> None:
    """With a server_secret, only what was encrypted with it can be decrypted."""
    client = connect(server_secret="s3cret")
    plaintext = json.dumps(make_data()).encode()
    with_secret = json.dumps(seal(plaintext, server_secret="s3cret")).encode()
    assert client.post(with_secret).status == 200
    assert client.post(json.dumps(seal(plaintext)).encode()).status == 422


def test_large_payloads_are_received(connect: Any, recorder: Any) -> None:
    """Bodies beyond what one beacon holds are received like any other, encrypted or not."""
    data = make_data(events=[click(timestamp=number) for number in range(5_000)])
    client = connect(handler=recorder)
    assert client.post(json.dumps({"data": data}).encode()).status == 200
    assert client.post(json.dumps(seal(json.dumps(data).encode())).encode()).status == 200
    assert [len(payload.data.events) for payload in recorder.payloads] == [5_000, 5_000]
    assert recorder.payloads[0] == recorder.payloads[1]


@pytest.mark.parametrize("value", [[1], {"a": 1}, 1, [{"a": [1]}]])
def test_numbers_out_of_range_are_400_with_values_unchecked(connect: Any, value: Any) -> None:
    """What no double can hold is refused also where values are not looked at."""
    client = connect(validate_schema=False)
    body = make_body(session_id=value).decode()
    assert client.post(body.encode()).status == 200
    sent = json.dumps(value)
    huge = body.replace(f'"session_id": {sent}', f'"session_id": {sent.replace("1", "1e999")}')
    assert "1e999" in huge
    assert client.post(huge.encode()).status == 400


@pytest.mark.parametrize("field", ["scroll_depth", "time_on_page"])
@pytest.mark.parametrize("digits", [309, 400, 4_000])
def test_whole_numbers_out_of_range_are_400(connect: Any, field: str, digits: int) -> None:
    """A whole number beyond doubles is refused, not raised."""
    body = make_body(**{field: 7}).replace(b": 7", b": " + b"7" * digits)
    assert connect().post(body).status == 400


def test_tiny_pieces_cost_no_memory(connect: Any) -> None:
    """A body that comes byte by byte costs about what it weighs."""
    limit = 64 * 1024
    client = connect(max_payload_size=8 * limit)
    client.post(make_body())
    tracemalloc.start()
    try:
        answer = client.call(Call(headers=JSON, chunks=(b" " for _ in range(limit))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 400
    assert peak < 8 * limit


def test_refusals_are_told_an_operator(connect: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Refusals are logged as warnings with their statuses, but not one line each."""
    client = connect()
    for _ in range(50):
        client.post(b"{}")
    told = [record for record in caplog.records if record.name == "unisights"]
    assert 1 <= len(told) < 50
    assert "422" in told[0].getMessage()
