"""Inline delivery: the same in both colours, whatever a handler raises."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.endpoints import INFO
from tests.processes import wait_for
from tests.support import make_body
from unisights import Inline, PermanentError, UndeliveredError, UnisightsOptions
from unisights._delivery.inline import InlineDelivery
from unisights._delivery.outcome import HANDLED, Outcome
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._runtime.callers import run_blocking

Deliver = Callable[[SyncEndpoint], Outcome]


def _deliver_sync(endpoint: SyncEndpoint) -> Outcome:
    payload = endpoint.collector.decode(make_body())
    delivery = endpoint.delivery
    return run_blocking(delivery.deliver(INFO, payload, lambda: None, delivery.in_request))


def _deliver_async(endpoint: SyncEndpoint) -> Outcome:
    payload = endpoint.collector.decode(make_body())
    delivery = endpoint.delivery
    return asyncio.run(delivery.deliver(INFO, payload, lambda: None, delivery.on_loop))


both = pytest.mark.parametrize("deliver", [_deliver_sync, _deliver_async])


def _endpoint(**options: Any) -> SyncEndpoint:
    endpoint = SyncEndpoint(UnisightsOptions(**options), Inline())
    assert isinstance(endpoint.delivery, InlineDelivery)
    return endpoint


@both
def test_without_a_handler_payloads_are_delivered(deliver: Deliver) -> None:
    """They are counted as accepted and delivered."""
    endpoint = _endpoint()
    assert deliver(endpoint) is HANDLED
    stats = endpoint.collector.stats()
    assert (stats.accepted, stats.delivered) == (1, 1)


@both
def test_a_failure_is_counted_logged_and_reported(
    deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    """The outcome carries the exception; `on_error` gets it too, before the response."""
    errors: list[Exception] = []

    def fail(_payload: Any, _request: Any) -> None:
        raise LookupError("no such place")

    endpoint = _endpoint(handler=fail, on_error=lambda _payload, error: errors.append(error))
    outcome = deliver(endpoint)
    assert errors == [outcome.error]
    assert isinstance(outcome.error, LookupError)
    assert endpoint.collector.stats().failed == 1
    assert "no such place" in caplog.text


@both
def test_a_handler_can_say_never(deliver: Deliver, caplog: pytest.LogCaptureFixture) -> None:
    """The text of a PermanentError is logged, without a traceback: it is raised on purpose."""
    errors: list[Exception] = []

    def fail(_payload: Any, _request: Any) -> None:
        raise PermanentError("no such site")

    endpoint = _endpoint(handler=fail, on_error=lambda _payload, error: errors.append(error))
    assert deliver(endpoint).error is errors[0]
    assert "PermanentError: no such site" in caplog.text
    assert "Traceback" not in caplog.text


@both
def test_a_handler_that_ends_the_host_leaves_a_trace(
    deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    """Its payload is counted, logged and reported, and the host gets what ends it."""
    errors: list[Exception] = []

    async def end(_payload: Any, _request: Any) -> None:
        raise asyncio.CancelledError

    def end_sync(_payload: Any, _request: Any) -> None:
        raise SystemExit(3)

    is_async = deliver is _deliver_async
    endpoint = _endpoint(
        handler=end if is_async else end_sync,
        on_error=lambda _payload, error: errors.append(error),
    )
    with (
        caplog.at_level(logging.ERROR, "unisights"),
        pytest.raises(asyncio.CancelledError if is_async else SystemExit),
    ):
        deliver(endpoint)
    wait_for(lambda: errors, "the report")
    assert isinstance(errors[0], UndeliveredError if is_async else RuntimeError)
    assert endpoint.collector.stats().failed == 1
    assert [vars(record)["event"] for record in caplog.records] == ["handler_failed"]


@both
def test_a_duplicate_is_not_handled_again(deliver: Deliver) -> None:
    """In either colour it is counted, and answered as the first one was."""
    calls: list[Any] = []
    endpoint = _endpoint(
        handler=lambda payload, _request: calls.append(payload), duplicate_window=60
    )
    assert [deliver(endpoint), deliver(endpoint)] == [HANDLED, HANDLED]
    assert len(calls) == 1
    assert endpoint.collector.stats().duplicate == 1
