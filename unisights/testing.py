"""Hypothesis strategies for payloads: test your handler on whatever it may be given.

    from hypothesis import given
    from unisights.testing import payloads

    @given(payloads())
    def test_my_handler(payload):
        handle_event(payload, None)

The strategies are made from the schema, so they cover every property that it has.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "unisights.testing needs Hypothesis: pip install 'unisights[testing]'"
    ) from error

from unisights.schema import schema_text
from unisights.types import UnisightsData, UnisightsEvent, UnisightsPayload

__all__ = ["events", "objects", "payloads"]

_DEFINITIONS: dict[str, Any] = json.loads(schema_text())["definitions"]
_SESSION = _DEFINITIONS["UnisightsData"]["properties"]

NUMBERS = [0, -0.0, 1.0, 0.5, 101.38, 5e-324, 1e308, 2**53 - 1, 2**53, 2**63, 2**64, 10**30]
"""Numbers that parsers treat differently, or that lie at a bound."""

_LIKELY = {
    _SESSION["session_id"]["pattern"]: st.uuids().map(str) | st.uuids().map(str).map(str.upper),
    _SESSION["page_url"]["pattern"]: st.sampled_from(
        ["https://example.com", "http://[::1]:1/?#", "file:///x", "about:blank", "HTTPS:x"]
    ),
}
"""For some patterns of the schema: strings that match and that real clients send."""

_UNKNOWN = (
    st.none()
    | st.booleans()
    | st.sampled_from(NUMBERS)
    | st.text(max_size=5)
    | st.sampled_from([[], {}, [[1, None]], {"type": {"data": [""]}}])
)
"""Values of properties that the schema does not name."""

_EVENT_CLASSES = {event_class.type: event_class for event_class in get_args(UnisightsEvent)}


def payloads(*, max_events: int = 4) -> st.SearchStrategy[UnisightsPayload]:
    """Typed payloads, as a handler gets them.

    Args:
        max_events: the greatest number of events in a payload.
    """
    return st.builds(
        lambda session, batch: UnisightsPayload(
            data=UnisightsData.from_dict({**session, "events": batch})
        ),
        objects("UnisightsData"),
        st.lists(objects("UnisightsEvent"), max_size=max_events),
    )


def events() -> st.SearchStrategy[UnisightsEvent]:
    """Typed events of all types."""
    return objects("UnisightsEvent").map(lambda obj: _EVENT_CLASSES[obj["type"]].from_dict(obj))


@cache
def objects(definition: str) -> st.SearchStrategy[Any]:
    """Parsed JSON that is valid by a definition of the schema, such as `UnisightsPayload`.

    Args:
        definition: the name of the definition. It is also the name of its class.
    """
    return st.deferred(lambda: _instances(_DEFINITIONS[definition]))


def _instances(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Instances of a subschema; it knows the keywords that the schema uses."""
    if "$ref" in schema:
        return objects(schema["$ref"].removeprefix("#/definitions/"))
    if "oneOf" in schema:
        return st.one_of([_instances(branch) for branch in schema["oneOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if isinstance(schema["type"], list):
        return st.one_of([_instances({**schema, "type": name}) for name in schema["type"]])
    of_type: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
        "null": lambda _: st.none(),
        "string": _strings,
        "number": _numbers,
        "integer": _integers,
        "boolean": lambda _: st.booleans(),
        "array": lambda schema: st.lists(_instances(schema["items"]), max_size=4),
        "object": _objects,
    }
    return of_type[schema["type"]](schema)


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength")
    if "pattern" in schema:
        matching = _LIKELY.get(schema["pattern"], st.from_regex(re.compile(schema["pattern"])))
        return matching.filter(lambda text: shortest <= len(text) <= (longest or len(text)))
    return st.text(min_size=shortest, max_size=longest or max(shortest, 8))


def _numbers(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    least, most = schema.get("minimum"), schema.get("maximum")
    floats = st.floats(least, most, allow_nan=False, allow_infinity=False)
    return (
        floats
        | floats.map(int)
        | st.sampled_from(NUMBERS).filter(
            lambda number: (least is None or number >= least) and (most is None or number <= most)
        )
    )


def _integers(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    whole = st.integers(schema.get("minimum"), schema.get("maximum"))
    return whole | whole.filter(lambda number: abs(number) < 2**53).map(float)


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    members = {key: _instances(member) for key, member in schema["properties"].items()}
    required = set(schema.get("required", ()))
    extra = schema.get("additionalProperties")
    return st.builds(
        lambda unnamed, named: {**unnamed, **named},
        st.dictionaries(
            st.text(max_size=4).filter(lambda key: key not in members),
            _UNKNOWN if extra is None else _instances(extra),
            max_size=2,
        ),
        st.fixed_dictionaries(
            {key: member for key, member in members.items() if key in required},
            optional={key: member for key, member in members.items() if key not in required},
        ),
    )
