"""`unisights.testing`: strategies that users test their handlers with."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.referee import MEMBERS
from unisights import UnisightsEvent, UnisightsPayload
from unisights.schema import schema_text
from unisights.testing import events, objects, payloads

SCHEMA: dict[str, Any] = json.loads(schema_text())
relaxed = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(payloads())
def test_payloads_are_as_handlers_get_them(payload: UnisightsPayload) -> None:
    """A generated payload is typed, JSON-ready, and survives the round trip."""
    assert isinstance(payload, UnisightsPayload)
    assert payload.data.scroll_depth <= 100
    again = UnisightsPayload.from_dict(json.loads(json.dumps(payload.to_dict())))
    assert again == payload


@relaxed
@given(payloads(max_events=0))
def test_the_number_of_events_is_bounded(payload: UnisightsPayload) -> None:
    """`max_events` holds."""
    assert payload.data.events == []


def test_every_kind_of_event_is_made() -> None:
    """All members of the union come up."""
    seen: set[str] = set()

    @settings(relaxed, max_examples=200, derandomize=True)
    @given(events())
    def collect(event: UnisightsEvent) -> None:
        seen.add(event.type)

    collect()
    assert seen == set(MEMBERS)


@pytest.mark.parametrize("definition", SCHEMA["definitions"])
@relaxed
@given(data=st.data())
def test_objects_are_valid(definition: str, data: st.DataObject) -> None:
    """What is generated for a definition is valid by it."""
    referee = jsonschema.Draft7Validator(
        {**SCHEMA, "oneOf": [{"$ref": f"#/definitions/{definition}"}]}
    )
    referee.validate(data.draw(objects(definition)))
