"""Inline delivery: the handler runs before the response."""

import logging

from unisights._delivery.base import Delivery, DeliveryContext, report_failure
from unisights._delivery.duplicates import make_window
from unisights._delivery.handler import MakeRequest
from unisights._delivery.outcome import HANDLED, Outcome
from unisights._runtime.calls import call_async
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload


class InlineDelivery(Delivery):
    """Runs the handler before the response is given."""

    def __init__(self, context: DeliveryContext) -> None:
        super().__init__(context)
        self._on_error = context.options.on_error
        self._window = make_window(context.options.duplicate_window)

    async def deliver(
        self,
        info: RequestInfo,  # noqa: ARG002
        payload: UnisightsPayload,
        make_request: MakeRequest,
    ) -> Outcome:
        """Run the handler."""
        self._count("accepted")
        window = self._window
        if window is None and self.handler.is_missing:
            self._count("delivered")
            return HANDLED
        content_id = "" if window is None else payload.content_id
        if window is not None and content_id in window:
            self._count("duplicate")
            return HANDLED
        try:
            await self.handler.call_async(payload, make_request)
        except Exception as error:  # noqa: BLE001  # handlers raise what they like
            self._log_failure(error)
            try:
                if self._on_error is not None:
                    await call_async(self._on_error, payload, error)
            except Exception as raised:  # noqa: BLE001
                self._log(logging.ERROR, "on_error_failed", "on_error failed", error=raised)
            return Outcome(error=error)
        self._count("delivered")
        if window is not None:
            window.add(content_id)
        return HANDLED

    def deliver_sync(
        self,
        info: RequestInfo,  # noqa: ARG002
        payload: UnisightsPayload,
        make_request: MakeRequest,
    ) -> Outcome:
        """Run the handler."""
        self._count("accepted")
        window = self._window
        content_id = "" if window is None else payload.content_id
        if window is not None and content_id in window:
            self._count("duplicate")
            return HANDLED
        try:
            self.handler.call_sync(payload, make_request)
        except Exception as error:  # noqa: BLE001  # handlers raise what they like
            self._log_failure(error)
            report_failure(self._context, payload, error)
            return Outcome(error=error)
        self._count("delivered")
        if window is not None:
            window.add(content_id)
        return HANDLED

    def _log_failure(self, error: Exception) -> None:
        self._count("failed")
        self._log(logging.ERROR, "handler_failed", "the handler failed", error=error)
