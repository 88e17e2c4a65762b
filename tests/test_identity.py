"""What a payload says of itself beside its session: its content id, and its sender's clock."""

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings

from tests.support import click, make_body, make_data, seal
from unisights import UnisightsPayload, decode_unisights_payload
from unisights.testing import payloads
from unisights.validator import Checks

PROPERTY = settings(max_examples=100, deadline=None, derandomize="CI" in os.environ)

BUCKET = 59_000_000
BUCKET_START = BUCKET * 30_000


def _sealed(*timestamps: int, bucket: int = BUCKET, envelope: bool = False) -> bytes:
    data = make_data(events=[click(timestamp=timestamp) for timestamp in timestamps])
    sealed = seal(json.dumps(data).encode(), bucket=bucket, envelope=envelope)
    return json.dumps(sealed).encode()


def _received(body: bytes, received_at: int, **options: Any) -> UnisightsPayload:
    payload = decode_unisights_payload(body, **options)
    payload.received_at = received_at
    return payload


@given(payloads(), payloads())
@PROPERTY
def test_the_content_id_is_the_contents(one: UnisightsPayload, other: UnisightsPayload) -> None:
    """Equal payloads that were not made from bytes have the same id, others have another."""
    again = UnisightsPayload.from_dict(one.to_dict())
    assert again.content_id == one.content_id
    same = one.to_dict() == other.to_dict()
    assert (one.content_id == other.content_id) == same


def test_the_content_id_is_the_bodys() -> None:
    """The same bytes have the same id; the same session in other bytes has another."""
    body = make_body()
    first, again = decode_unisights_payload(body), decode_unisights_payload(body)
    spaced = decode_unisights_payload(body + b" ")
    assert first.content_id == again.content_id
    assert len(first.content_id) == 32
    assert spaced == first
    assert spaced.content_id != first.content_id


def test_nothing_known_is_no_skew() -> None:
    """Without events, or without a request, there is nothing to compare."""
    assert _received(make_body(), 1_000_000).clock_skew is None
    assert _received(make_body(events=[click(timestamp=5)]), 0).clock_skew is None


@pytest.mark.parametrize(("received_at", "skew"), [(1000, 1000), (2000, 0), (5000, -3000)])
def test_the_newest_event_tells_the_skew(received_at: int, skew: int) -> None:
    """A clock that is ahead is above 0, wherever in the batch the newest event stands."""
    events = [click(timestamp=1500), click(timestamp=2000), click(timestamp=7)]
    assert _received(make_body(events=events), received_at).clock_skew == skew


@pytest.mark.parametrize("envelope", [False, True])
@pytest.mark.parametrize(
    ("timestamps", "sent_at"),
    [
        ([], BUCKET_START),
        ([BUCKET_START - 1], BUCKET_START),
        ([BUCKET_START + 7], BUCKET_START + 7),
        ([BUCKET_START + 29_999, 3], BUCKET_START + 29_999),
        ([BUCKET_START + 30_000], BUCKET_START + 29_999),
    ],
)
def test_the_bucket_bounds_the_skew(timestamps: list[int], sent_at: int, envelope: bool) -> None:
    """An encrypted payload was sent within its bucket, whatever its events say."""
    payload = _received(_sealed(*timestamps, envelope=envelope), BUCKET_START + 500)
    assert payload.sent_bucket == BUCKET
    assert payload.clock_skew == sent_at - (BUCKET_START + 500)


def test_an_absurd_bucket_is_no_time() -> None:
    """What no clock shows leaves the events to tell, and is a number that JSON can hold."""
    assert _received(_sealed(bucket=2**53 - 1), 1000).clock_skew is None
    assert _received(_sealed(1500, bucket=2**53 - 1), 1000).clock_skew == 500


def test_unchecked_times_are_ignored() -> None:
    """With validation off, what is no whole number in range is no time."""
    events = [click(timestamp=value) for value in ("9", None, True, -5, 1500)]
    payload = _received(make_body(events=events), 1000, checks=Checks(values=False, required=False))
    assert payload.clock_skew == 500
