"""What the real browser client sends, on every adapter."""

import json
from typing import Any

import pytest

from tests.adapters.drivers import Call
from tests.support import CAPTURES, capture, capture_headers


@pytest.mark.parametrize("name", CAPTURES)
def test_every_recorded_body_is_received(connect: Any, recorder: Any, name: str) -> None:
    """A recorded body, with its recorded headers, answers 200 and arrives as it was sent."""
    body = capture(name)
    headers = capture_headers(name)
    answer = connect(handler=recorder).call(Call(headers=headers, chunks=(body,)))
    assert answer.status == 200
    assert answer.header("access-control-allow-origin") == headers["origin"]
    (payload,) = recorder.payloads
    assert payload.raw == body
    sent = json.loads(body)
    assert payload.encrypted is sent["encrypted"]
    if not payload.encrypted:
        _assert_holds(payload.data.to_dict(), sent["data"])
    assert all(type(event.data.timestamp) is int for event in payload.data.events)


def _assert_holds(decoded: Any, sent: Any, key: str = "") -> None:
    if isinstance(sent, dict):
        for name, value in sent.items():
            _assert_holds(decoded[name], value, name)
    elif isinstance(sent, list):
        assert len(decoded) == len(sent)
        for decoded_item, sent_item in zip(decoded, sent, strict=True):
            _assert_holds(decoded_item, sent_item)
    else:
        assert decoded == (min(sent, 100) if key == "scroll_depth" else sent)
