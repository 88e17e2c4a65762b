"""An endpoint: a collector that decides about requests, and a delivery for the valid ones."""

from collections.abc import Callable
from typing import Any

from unisights._delivery.context import DeliveryContext
from unisights._delivery.factory import make_delivery
from unisights._delivery.inline import InlineDelivery
from unisights._delivery.outcome import HANDLED, QUEUED, Outcome
from unisights._endpoint.parameters import check_parameters
from unisights._http.responses import HTTPResponse
from unisights._runtime.callers import Callers
from unisights.collector import Collector
from unisights.config import UnisightsOptions
from unisights.control import EndpointControl
from unisights.delivery import Background, Inline
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
        ConfigurationError: a function wants what it will not be given, or the options cannot work.
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
        self.control = EndpointControl(collector, self.delivery)

    def _read_gauges(self) -> Gauges:
        # The collector is made first, as the delivery needs its counters.
        return self.delivery.gauges()

    def respond(
        self, info: RequestInfo, payload: UnisightsPayload, outcome: Outcome
    ) -> HTTPResponse:
        """Return the response to a request whose payload had this outcome."""
        responses = self.collector.responses
        if outcome is HANDLED:
            return responses.accepted(info, payload, 200)
        if outcome is QUEUED:
            return responses.accepted(info, payload, 202)
        if outcome.refusal is not None:
            response = responses.unavailable(info, outcome.message)
            return self.collector.refuse(outcome.refusal, response)
        assert outcome.error is not None  # noqa: S101  # narrows a type
        return responses.handler_failed(info, outcome.error)
