"""An endpoint: a collector that decides about requests, and a delivery for the valid ones."""

from collections.abc import Callable
from functools import partial
from typing import Any

from unisights._delivery.context import DeliveryContext
from unisights._delivery.factory import make_delivery
from unisights._delivery.inline import InlineDelivery
from unisights._delivery.outcome import HANDLED, QUEUED, Outcome
from unisights._endpoint.parameters import check_parameters
from unisights._http.body import BodyBuffer
from unisights._http.responses import HTTPResponse
from unisights._runtime.callers import Caller, Callers
from unisights.collector import Collector, Refused
from unisights.config import UnisightsOptions
from unisights.control import EndpointControl
from unisights.delivery import Background, Inline
from unisights.readiness import NotReadyReason
from unisights.request import RequestInfo
from unisights.stats import Gauges
from unisights.types import UnisightsPayload

MakeRequest = Callable[[bytes], Any]
"""Makes the framework's request, the handler's second argument, of the body that was read."""


class Endpoint:
    """One endpoint of an app.

    Args:
        options: the endpoint's options.
        default: the delivery if the options name none.
        callers: who calls the user's functions.
        request_type: the class of the handler's second argument with inline delivery.

    Attributes:
        collector: decides about requests, and counts them.
        delivery: delivers the payloads of valid bodies.
        control: the app's handle.
        has_lifespan: whether it takes part in the lifespan of its app.

    Raises:
        ConfigurationError: a function asks for an argument that it is not given, or the options
            cannot work.
    """

    has_lifespan = False

    def __init__(
        self,
        options: UnisightsOptions,
        default: Inline | Background,
        callers: Callers = Callers(),  # noqa: B008  # it is frozen
        *,
        request_type: type = RequestInfo,
    ) -> None:
        self.collector = collector = Collector(options, self._read_gauges)
        context = DeliveryContext(
            options, collector.counters, collector.log, collector.decode, callers
        )
        self.delivery = make_delivery(context, default, has_lifespan=self.has_lifespan)
        is_inline = isinstance(self.delivery, InlineDelivery)
        check_parameters(options, request_type, is_inline=is_inline)
        self.control = EndpointControl(
            collector, self.delivery, self._read_reasons, self._leave_end
        )

    def _read_gauges(self) -> Gauges:
        # The collector is made first, as the delivery needs its counters.
        return self.delivery.gauges()

    def _leave_end(self) -> None:
        """Leave the end of the process; the delivery leaves it for itself."""

    def _read_reasons(self) -> tuple[NotReadyReason, ...]:
        return self.delivery.reasons()

    async def respond(
        self, info: RequestInfo, buffer: BodyBuffer, make_request: MakeRequest, caller: Caller
    ) -> HTTPResponse:
        """Decide about a body that was read to its end, deliver its payload, and respond.

        Args:
            info: the request.
            buffer: the body.
            make_request: makes the framework's request of the body.
            caller: calls the user's functions, and waits.
        """
        collector = self.collector
        if buffer.is_costly:
            decision = await caller.block(partial(collector.decide, info, buffer))
        else:
            decision = collector.decide(info, buffer)
        if decision.rejection is not None:
            await self.delivery.keep_rejection(decision.rejection, caller)
        if isinstance(decision, Refused):
            return decision.response
        payload = decision.payload
        outcome = await self.delivery.deliver(
            info, payload, lambda: make_request(payload.raw), caller
        )
        return self._response_to(info, payload, outcome)

    def refuse(self, info: RequestInfo, outcome: Outcome) -> HTTPResponse:
        """Refuse a request, as its payload cannot be taken now."""
        response = self.collector.responses.unavailable(info, outcome.message)
        assert outcome.refusal is not None  # noqa: S101  # narrows a type
        return self.collector.refuse(outcome.refusal, response)

    def _response_to(
        self, info: RequestInfo, payload: UnisightsPayload, outcome: Outcome
    ) -> HTTPResponse:
        """Return the response to a request whose payload had this outcome."""
        responses = self.collector.responses
        if outcome is HANDLED:
            return responses.accepted(info, payload, 200)
        if outcome is QUEUED:
            return responses.accepted(info, payload, 202)
        if outcome.refusal is not None:
            return self.refuse(info, outcome)
        assert outcome.error is not None  # noqa: S101  # narrows a type
        return responses.handler_failed(info, outcome.error)
