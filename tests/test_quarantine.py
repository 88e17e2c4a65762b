"""Quarantine: the handler gets the valid events of a batch, all of them and nothing else."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutate
from tests.referee import problems_by_referee, without_infinity
from tests.support import click, make_data, make_payload, seal
from unisights import InvalidJSONError, Rejection, UnisightsOptions, ValidationError
from unisights._decoding.fast_path import decode_selected
from unisights._decoding.quarantine import Selection
from unisights.collector import Collector, Valid
from unisights.errors import Problem
from unisights.request import RequestInfo
from unisights.testing import objects
from unisights.types import UnisightsPayload

INFO = RequestInfo(method="POST", path="/events", headers={}, received_at=7)

FORMS = st.sampled_from(["plain", "root", "envelope"])


def _collector(**options: Any) -> Collector:
    return Collector(
        UnisightsOptions(invalid_events="quarantine", on_reject=lambda _: None, **options)
    )


def _accepted(
    collector: Collector, body: bytes
) -> tuple[UnisightsPayload | None, Rejection | None]:
    """What is to be delivered of a body, and what is to be kept."""
    buffer = collector.buffer(INFO)
    buffer.add(body)
    decision = collector.decide(INFO, buffer)
    payload = decision.payload if isinstance(decision, Valid) else None
    return payload, decision.rejection


def _json(obj: Any) -> bytes:
    # What is infinite here stands for a number that no double can hold.
    return json.dumps(obj).replace("Infinity", "1e999").encode()


def _bytes(events: list[Any], form: str = "plain") -> bytes:
    if form == "plain":
        return _json(make_payload(events=events))
    plaintext = _json(make_data(events=events))
    return _json(seal(plaintext, envelope=form == "envelope"))


@st.composite
def _mixed(draw: st.DrawFn) -> list[Any]:
    """A batch of events, some as the schema has them, some changed at random."""
    sent = draw(st.lists(objects("UnisightsEvent"), max_size=6))
    random = draw(st.randoms(use_true_random=False))
    return [mutate(random, event) if draw(st.booleans()) else event for event in sent]


def _is_valid(event: Any) -> bool:
    return not problems_by_referee("UnisightsEvent", without_infinity(event))


@settings(max_examples=300, deadline=None)
@given(_mixed(), FORMS)
def test_the_handler_gets_the_valid_events_and_no_others(sent: list[Any], form: str) -> None:
    """In their order, valid by the schema's referee; the record names all the others."""
    body = _bytes(sent, form)
    good = [event for event in sent if _is_valid(event)]
    bad = tuple(index for index, event in enumerate(sent) if not _is_valid(event))
    payload, rejection = _accepted(_collector(), body)
    assert payload is not None
    assert payload == _accepted(_collector(), _bytes(good))[0]
    assert (payload.quarantined, payload.raw) == (bad, body)
    assert (rejection is None) == (not bad)
    if rejection is not None:
        assert rejection.quarantined == bad
        assert {problem.event for problem in rejection.problems} == set(bad)
    # What was accepted stays accepted, whatever may be quarantined by then.
    again = decode_selected(body, Selection.without(bad)).payload
    assert (again, again.quarantined) == (payload, bad)


@settings(max_examples=100, deadline=None)
@given(_mixed(), FORMS, st.booleans(), st.booleans())
def test_checks_that_are_off_hold_for_each_event(
    sent: list[Any], form: str, values: bool, required: bool
) -> None:
    """An event is quarantined if and only if a body with it alone would be refused."""
    options = {"validate_schema": values, "validate_required_fields": required}
    if not values and "1e999" in json.dumps(sent).replace("Infinity", "1e999"):
        return  # Such numbers are then refused wherever they stand, and the body with them.
    strict = Collector(UnisightsOptions(**options))
    bad = []
    for index, event in enumerate(sent):
        try:
            strict.decode(_bytes([event]))
        except (InvalidJSONError, ValidationError):
            bad.append(index)
    payload, _ = _accepted(_collector(**options), _bytes(sent, form))
    assert payload is not None
    assert payload.quarantined == tuple(bad)
    assert len(payload.data.events) == len(sent) - len(bad)


def test_more_bad_events_than_are_listed() -> None:
    """All are quarantined and counted, none of the good is lost, and a hundred problems listed."""
    sent = [click(x=0), *["no event"] * 9_000, click(x=1), *[{"type": "x"}] * 1_000, click(x=2)]
    payload, rejection = _accepted(_collector(), _bytes(sent))
    assert payload is not None
    assert rejection is not None
    assert [event.data.x for event in payload.data.events] == [0, 1, 2]  # type: ignore[union-attr]
    assert len(rejection.quarantined) == 10_000
    assert len(rejection.problems) == 100


@pytest.mark.parametrize("events", [[1] * 2_000, [None] * 100_000])
def test_what_is_no_batch_at_all_is_refused(events: list[Any]) -> None:
    """More invalid events than a body of its length can hold: they would cost more than it does."""
    payload, rejection = _accepted(_collector(), _json(make_payload(events=[*events, click()])))
    assert payload is None
    assert rejection is not None
    assert (rejection.reason, rejection.status) == ("invalid_events", 422)
    assert len(rejection.problems) == 100
    assert rejection.quarantined == ()


def test_memory_is_bounded() -> None:
    """A body of nothing but bad events takes a small multiple of its length."""
    body = _bytes(["no event"] * 80_000)
    tracemalloc.start()
    try:
        payload, _ = _accepted(_collector(max_payload_size=len(body)), body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert payload is not None
    assert len(payload.quarantined) == 80_000
    assert peak < 12 * len(body)


def test_a_number_beyond_doubles_spoils_its_event_only() -> None:
    """It is named as what it is; outside of events, the body is no JSON that can be read."""
    sent = [click(), click(x=float("inf"))]
    payload, rejection = _accepted(_collector(), _bytes(sent))
    assert payload is not None
    assert rejection is not None
    assert payload.quarantined == (1,)
    assert rejection.problems == (
        Problem(
            "/data/events/1/data/x",
            "json",
            "data.events[1].data.x must be a number that a double can hold",
        ),
    )
    payload, rejection = _accepted(_collector(), _json(make_payload(scroll_depth=float("inf"))))
    assert payload is None
    assert rejection is not None
    assert rejection.reason == "invalid_json"


@pytest.mark.parametrize("events", [None, {}, "x", 5])
def test_events_that_are_no_batch_are_refused(events: Any) -> None:
    """Where there are no events, none can be quarantined: the session is wrong."""
    payload, rejection = _accepted(_collector(), _json(make_payload(events=events)))
    assert payload is None
    assert rejection is not None
    assert rejection.reason == "invalid_payload"


def test_only_some_events_are_wanted() -> None:
    """Those of them that are invalid are quarantined; the session is kept as it was sent."""
    data = make_data(events=[click(x=0), {}, click(x=2), click(x="3")], unknown=1)
    decoded = decode_selected(_json({"data": data}), Selection.only({1, 2, 3}))
    payload = decoded.payload
    assert decoded.session == {**data, "events": [click(x=2)]}
    assert (payload.quarantined, len(payload.data.events)) == ((1, 3), 1)


def test_what_was_accepted_and_is_invalid_now_is_refused() -> None:
    """What is left of a body must be valid, as it was: it is not made smaller in silence."""
    with pytest.raises(ValidationError):
        decode_selected(_bytes([click(), {}, {}]), Selection.without([1]))


# The record.


def test_a_record_is_json() -> None:
    """With all that is known: why, where in which event, the request, and the body as text."""
    body = _bytes([{}])
    _, rejection = _accepted(_collector(), body)
    assert rejection is not None
    described = rejection.to_dict()
    assert json.loads(json.dumps(described)) == described
    assert described == {
        "reason": "invalid_events",
        "status": None,
        "problems": [
            {
                "pointer": "/data/events/0",
                "rule": "required",
                "message": "data.events[0] must contain 'type'",
                "event": 0,
            }
        ],
        "quarantined": [0],
        "schema_version": rejection.schema_version,
        "received_at": 7,
        "request": {"method": "POST", "path": "/events", "headers": {}, "client": None},
        "body": body.decode(),
    }


def test_what_is_no_text_is_base64() -> None:
    """So that no byte of it is lost."""
    _, rejection = _accepted(_collector(), b"\xff\x00")
    assert rejection is not None
    assert rejection.to_dict()["body_base64"] == "/wA="
    assert "body" not in rejection.to_dict()


def test_a_record_does_not_print_the_body() -> None:
    """It may end up in a log, and the body and the cookies are the visitor's."""
    _, rejection = _accepted(_collector(), b"secret {")
    assert "secret" not in repr(rejection)


@pytest.mark.parametrize(
    ("pointer", "event"),
    [
        ("/data/events/3", 3),
        ("/data/events/12/data/x", 12),
        ("/data/events", None),
        ("/data/events/", None),
        ("/data/event/3", None),
        ("/events/3", None),
        ("data/events/3", None),
        ("", None),
    ],
)
def test_a_problem_knows_its_event(pointer: str, event: int | None) -> None:
    """Its index is that of the pointer; there is none outside of events."""
    assert Problem(pointer, "type", "x").event == event
